#include <unistd.h>

#include <memory>
#include <ostream>

#include "cli/command.h"
#include "offline/streams.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter =
    R"(Writes what each client sent, as its server's socket would read it, into a file of its own, and prints an index.
State of a stream: EOF (the client closed it), ECONNRESET (the client reset it), open (neither, or it was cut short by a
gap: "cut" says why), nohs (no handshake was completed in this capture: no bytes).
A flow whose server is not in the capture is read one-sided, also with --mode strict; the index says so.

Examples:
  umbra streams capture.pcap --out streams > index.json
  umbra streams capture.pcapng.gz --out streams --force --mode one-sided)";

struct Options {
    offline::StreamsOptions streams;
    std::string mode = "strict";
    std::string checksums = "auto";
    std::string output;
    bool progress = false;
};

int run_streams(const Options& options, Console& console) {
    offline::StreamsRun run(options.streams);
    offline::Progress progress(options.progress || ::isatty(STDERR_FILENO) ? &console.err : nullptr);
    const auto outcome = run.run(progress);
    progress.clear();
    if (!outcome && run.counts().packets == 0 && run.writer().index().size() == 0)
        return report(console, outcome.error());
    run.write_index(console.out);
    console.err << run.summary() << "\n";
    return outcome ? 0 : report(console, outcome.error());
}

}  // namespace

void setup_streams(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* verb =
        app.add_subcommand("streams", "capture file -> one file per client stream; needs no root, no agent");
    verb->footer(kFooter);
    verb->add_option("capture", options->streams.capture.path, "pcap or pcapng file, also compressed with gzip")
        ->type_name("PCAP")
        ->required();
    verb->add_option("--out", options->streams.writer.folder, "folder for the files; is made")
        ->type_name("DIR")
        ->required();
    verb->add_flag("--force", options->streams.force, "write into a folder that is not empty");
    verb->add_option("--mode", options->mode,
                     "strict: what the server acknowledged; one-sided: as the client's packets alone tell")
        ->check(CLI::IsMember({"strict", "one-sided"}))
        ->type_name("MODE")
        ->capture_default_str();
    verb->add_option("--checksums", options->checksums,
                     "auto: verified, except of senders whose network card filled them in after the capture")
        ->check(CLI::IsMember({"auto", "verify", "trust"}))
        ->type_name("auto|verify|trust")
        ->capture_default_str();
    verb->add_flag("--midstream", options->streams.writer.midstream,
                   "also connections that were open before the capture, from the first acknowledged byte on");
    verb->add_flag("--progress", options->progress, "progress line also where standard error is no terminal");
    add_output(*verb, options->output, {"json"});
    verb->callback([options, &action] {
        options->streams.capture.mode = options->mode == "one-sided" ? Mode::one_sided : Mode::strict;
        if (options->checksums == "verify") options->streams.capture.checksums = offline::ChecksumPolicy::verify;
        if (options->checksums == "trust") options->streams.capture.checksums = offline::ChecksumPolicy::trust;
        action = [options](Console& console) { return run_streams(*options, console); };
    });
}

}  // namespace umbra::cli
