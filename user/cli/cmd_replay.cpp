#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/render.h"
#include "offline/replay_run.h"
#include "offline/target.h"

namespace umbra::cli {

namespace {

using control::Json;
using Align = Table::Align;

constexpr const char* kFooter =
    R"(Sends what the clients of the capture sent, each client connection over a connection of its own, in its order; a
request waits for the answer to the one before it. Answers are read and thrown away. HTTP/1 as whole requests, other
protocols as bytes. Every flow goes to the target, whatever its server was; --port chooses flows.
Result: replayed + dropped by reason = seen, in flows, requests and bytes. Exit 1 if that does not hold, if the capture
is broken, or if the target could not be reached at all. SIGINT ends early, with the sums.

Examples:
  umbra replay capture.pcap --to 127.0.0.1:8080
  umbra replay capture.pcap --to staging.example:80 --port 8080 --speed 2
  umbra replay capture.pcapng.gz --to [fd00::2]:80 --speed max --loop 10 -o json)";

struct Options {
    offline::ReplayOptions replay;
    std::string mode = "strict";
    std::string speed = "1";
    std::vector<std::string> limits;
    std::string output;
    bool progress = false;
};

Json units_json(const umbra_units& units) {
    return {{"flows", units.flows}, {"requests", units.requests}, {"bytes", units.bytes}};
}

struct Sums {
    umbra_units dropped{};
    bool closes = false;
};

Sums sums_of(const umbra_ledger_row& row) {
    Sums sums;
    for (unsigned code = 0; code < UMBRA_REASON_COUNT; ++code) {
        const umbra_units& units = dropped_units(row, static_cast<Reason>(code));
        sums.dropped.flows += units.flows;
        sums.dropped.requests += units.requests;
        sums.dropped.bytes += units.bytes;
    }
    const auto closes = [&](Unit unit) { return row.seen.*unit == row.mirrored.*unit + sums.dropped.*unit; };
    sums.closes = closes(&umbra_units::flows) && closes(&umbra_units::requests) && closes(&umbra_units::bytes);
    return sums;
}

Json report_json(const offline::ReplayRun& run) {
    const umbra_ledger_row& row = run.ledger();
    Json dropped = Json::object(), answers = Json::object();
    for (unsigned code = 0; code < UMBRA_REASON_COUNT; ++code) {
        const umbra_units& units = dropped_units(row, static_cast<Reason>(code));
        if (units.flows + units.requests + units.bytes > 0)
            dropped[reason_name(static_cast<Reason>(code))] = units_json(units);
    }
    const auto& by_class = run.answers().by_class;
    for (std::size_t digit = 1; digit < by_class.size(); ++digit) answers[fmt::format("{}xx", digit)] = by_class[digit];
    return {{"packets", run.packets()},
            {"loops", run.loops_done()},
            {"interrupted", run.interrupted()},
            {"seconds", static_cast<double>(run.duration()) / static_cast<double>(kSecond)},
            {"seen", units_json(row.seen)},
            {"replayed", units_json(row.mirrored)},
            {"dropped", dropped},
            {"answers", answers},
            {"connections", run.answers().connections_made},
            {"response_bytes", run.worker().response_bytes},
            {"closes", sums_of(row).closes}};
}

void add_units(Table& table, const std::string& name, const Json& units) {
    table.add({name, with_thousands(number(units, "flows")), with_thousands(number(units, "requests")),
               with_thousands(number(units, "bytes"))});
}

std::string report_text(const Json& report) {
    Table table({{""}, {"FLOWS", Align::right}, {"REQUESTS", Align::right}, {"BYTES", Align::right}});
    add_units(table, "seen", part(report, "seen"));
    add_units(table, "replayed", part(report, "replayed"));
    for (const auto& [reason, units] : part(report, "dropped").items()) add_units(table, "dropped, " + reason, units);
    std::string text = table.text() + "answers:";
    for (const auto& [status, count] : part(report, "answers").items())
        text += fmt::format(" {} {}", status, with_thousands(count.get<std::int64_t>()));
    text += fmt::format("; {} connections, {} packets, {:.1f} s{}\n", with_thousands(number(report, "connections")),
                        with_thousands(number(report, "packets")), part(report, "seconds").get<double>(),
                        part(report, "interrupted") == true ? ", interrupted" : "");
    return text + (part(report, "closes") == true ? "the ledger closes\n" : "THE LEDGER DOES NOT CLOSE\n");
}

Result<double> speed_of(const std::string& text) {
    if (text == "max") return 0.0;
    double speed = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), speed);
    if (failure != std::errc{} || end != text.data() + text.size() || !(speed >= 0) || speed > 1e6)
        return Error{ErrorCode::usage, "read speed '" + text + "': not a number from 0 to 1000000, nor max",
                     "2 is twice as fast as captured, 0 or max as fast as the target answers"};
    return speed;
}

Result<void> complete(Options& options) {
    auto speed = speed_of(options.speed);
    if (!speed) return speed.error();
    options.replay.speed = *speed;
    options.replay.capture.mode = options.mode == "one-sided" ? Mode::one_sided : Mode::strict;
    options.replay.limits = offline::ReplayOptions::default_limits();
    for (const std::string& limit : options.limits)
        if (auto set = set_limit(options.replay.limits, limit); !set) return set;
    auto target = offline::resolve_target(options.replay.to);
    if (!target) return target.error();
    options.replay.target = std::move(*target);
    return {};
}

int run_replay(Options options, Console& console) {
    if (auto ready = complete(options); !ready) return report(console, ready.error());
    offline::ReplayRun run(options.replay);
    offline::Progress progress(options.progress || ::isatty(STDERR_FILENO) ? &console.err : nullptr);
    const auto outcome = run.run(progress);
    progress.clear();
    if (!outcome && run.packets() == 0) return report(console, outcome.error());
    const Json sums = report_json(run);
    console.out << (options.output == "json" ? as_json(sums) : report_text(sums)) << std::flush;
    if (!outcome) return report(console, outcome.error());
    return part(sums, "closes") == true ? 0 : static_cast<int>(ErrorCode::failure);
}

}  // namespace

void setup_replay(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* verb =
        app.add_subcommand("replay", "send a capture file's requests to a server; needs no root, no agent");
    verb->footer(kFooter);
    verb->add_option("capture", options->replay.capture.path, "pcap or pcapng file, also compressed with gzip")
        ->type_name("PCAP")
        ->required();
    verb->add_option("--to", options->replay.to, "where to; IPv6 addresses in brackets")
        ->type_name("HOST:PORT")
        ->required();
    verb->add_option("--speed", options->speed, "times as fast as captured; 0 or max: as fast as the target answers")
        ->type_name("N")
        ->capture_default_str();
    verb->add_option("--loop", options->replay.loops, "replays the file so many times")
        ->check(CLI::Range(1u, 1'000'000'000u))
        ->type_name("N")
        ->capture_default_str();
    verb->add_option("--port", options->replay.ports, "only flows to this port of their server; repeatable")
        ->check(CLI::Range(1, 65535))
        ->type_name("PORT")
        ->expected(1)
        ->take_all();
    verb->add_option("--mode", options->mode,
                     "strict: what the server acknowledged; one-sided: as the client's packets alone tell")
        ->check(CLI::IsMember({"strict", "one-sided"}))
        ->type_name("MODE")
        ->capture_default_str();
    verb->add_option("--limit", options->limits, "sets a limit as in 'umbra run'; repeatable")
        ->type_name("NAME=VALUE")
        ->expected(1)
        ->take_all();
    verb->add_flag("--progress", options->progress, "progress line also where standard error is no terminal");
    add_output(*verb, options->output, {"text", "json"});
    verb->callback(
        [options, &action] { action = [options](Console& console) { return run_replay(*options, console); }; });
}

}  // namespace umbra::cli
