#include <memory>
#include <ostream>

#include "cli/command.h"

namespace umbra::cli {

namespace {

constexpr const char* kPauseFooter = R"(Examples:
  umbra pause
  umbra pause --reason "disk of v2 is full"

Takes the programs off all devices at once; what was cloned before still reaches the mirror. Lasts until `umbra resume`
or the end of the agent: one that is started again clones.)";

constexpr const char* kResumeFooter = R"(Examples:
  umbra resume

Everything is cloned again, whether `umbra pause` or a threshold of `umbra run --trip` had stopped or lowered it.)";

int run_verb(control::Json request, const std::string& socket, const char* done, Console& console) {
    const auto result = ask_agent(console, socket, request);
    if (!result) return report(console, result.error());
    console.out << done << "\n";
    if (result->contains("note")) console.out << result->value("note", "") << "\n";
    return 0;
}

}  // namespace

void setup_pause(CLI::App& app, Action& action) {
    struct Options {
        std::string reason, socket;
    };
    auto options = std::make_shared<Options>();
    CLI::App* verb = app.add_subcommand("pause", "stop cloning at once, until umbra resume");
    verb->footer(kPauseFooter);
    verb->add_option("--reason", options->reason, "why: for the log and umbra status, 200 bytes at most")
        ->type_name("TEXT");
    add_socket(*verb, options->socket);
    verb->callback([options, &action] {
        action = [options](Console& console) {
            return run_verb({{"verb", "pause"}, {"reason", options->reason}}, options->socket,
                            "paused: nothing is cloned", console);
        };
    });
}

void setup_resume(CLI::App& app, Action& action) {
    auto socket = std::make_shared<std::string>();
    CLI::App* verb = app.add_subcommand("resume", "go on cloning");
    verb->footer(kResumeFooter);
    add_socket(*verb, *socket);
    verb->callback([socket, &action] {
        action = [socket](Console& console) {
            return run_verb({{"verb", "resume"}}, *socket, "resumed: everything is cloned", console);
        };
    });
}

}  // namespace umbra::cli
