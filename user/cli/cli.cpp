#include "cli/cli.h"

#include <ostream>
#include <string_view>

#include "cli/command.h"
#include "cli/kubectl.h"

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

// kubectl runs `kubectl umbra` as kubectl-umbra; `umbra kubectl` is the same.
bool is_plugin(std::string_view program) { return program.substr(program.find_last_of('/') + 1) == "kubectl-umbra"; }

}  // namespace

int run_app(CLI::App& app, Action& action, std::vector<std::string> arguments, Console& console) {
    constexpr int kUsage = static_cast<int>(ErrorCode::usage);
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    try {
        app.parse(reversed);
    } catch (const CLI::ParseError& error) {
        return app.exit(error, console.out, console.err) == 0 ? 0 : kUsage;
    }
    return action(console);
}

int run_cli(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
    Console console{out, err};
    std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    if (argc > 0 && is_plugin(argv[0])) return run_kubectl(std::move(arguments), console);
    if (!arguments.empty() && arguments[0] == "kubectl")
        return run_kubectl({arguments.begin() + 1, arguments.end()}, console);
    CLI::App app(
        "Umbra mirrors live traffic of one node to another version of a service.\n"
        "The primary is never touched; what the mirror gets is exact or absent; every loss has a reason.",
        "umbra");
    app.set_version_flag("--version", "umbra " UMBRA_VERSION);
    app.require_subcommand(1);
    app.footer(kFooter);
    app.get_formatter()->column_width(34);
    Action action;
    for (const auto setup : {setup_run,      setup_check,   setup_explain, setup_apply,      setup_get,
                             setup_delete,   setup_diff,    setup_pause,   setup_resume,     setup_status,
                             setup_ledger,   setup_streams, setup_replay,  setup_terminator, setup_controller,
                             setup_exporter, setup_limits,  setup_install, setup_uninstall,  setup_version})
        setup(app, action);
    app.add_subcommand("kubectl", "all agents of a cluster at once; the same as kubectl umbra");
    return run_app(app, action, std::move(arguments), console);
}

}  // namespace umbra::cli
