#include "cli/cli.h"

#include <ostream>

#include "cli/command.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter = R"(Examples:
  umbra check -f rules/                         are the rules valid? (no root)
  umbra explain -f rules/ --flow '10.0.0.1:4000>10.0.0.2:80' --request 'GET /x'
  umbra run -f rules/                           the agent, until SIGTERM (root)
  umbra apply -f rule.yaml                      put a rule in force on the running agent
  umbra status; umbra ledger                    what it does; what became of every request
  umbra streams capture.pcap --out DIR          one file per client stream of a capture (no root)
  umbra replay capture.pcap --to HOST:PORT      a capture's requests to a server (no root)

Exit codes: 0 ok, 1 failure, 2 usage, 3 invalid rules, 4 privilege missing, 5 kernel feature missing.)";

// CLI11 speaks by exceptions; here they end.
int parse(CLI::App& app, int argc, const char* const* argv, Console& console) {
    constexpr int kUsage = static_cast<int>(ErrorCode::usage);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error, console.out, console.err) == 0 ? 0 : kUsage;
    }
    return -1;
}

}  // namespace

int run_cli(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
    CLI::App app(
        "Umbra mirrors live traffic of one node to another version of a service.\n"
        "The primary is never touched; what the mirror gets is exact or absent; every loss has a reason.",
        "umbra");
    app.set_version_flag("--version", "umbra " UMBRA_VERSION);
    app.require_subcommand(1);
    app.footer(kFooter);
    app.get_formatter()->column_width(34);
    Action action;
    for (const auto setup : {setup_run, setup_check, setup_explain, setup_apply, setup_get, setup_delete, setup_diff,
                             setup_status, setup_ledger, setup_exporter, setup_streams, setup_replay, setup_version})
        setup(app, action);
    Console console{out, err};
    if (const int code = parse(app, argc, argv, console); code >= 0) return code;
    return action(console);
}

}  // namespace umbra::cli
