#include <memory>

#include "agent/remote_terminator.h"
#include "cli/command.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter = R"(Example, for two containers that share a directory:
  umbra run --terminator-socket /run/umbra/terminator/terminator.sock
  umbra terminator --socket /run/umbra/terminator/terminator.sock

Needs no privilege; its user must be in group 'umbra', or the loader's own.)";

}  // namespace

void setup_terminator(CLI::App& app, Action& action) {
    struct Options {
        std::string socket;
        std::string log_level = "info";
    };
    auto options = std::make_shared<Options>();
    CLI::App* verb = app.add_subcommand("terminator", "run the agent's terminator as a process of its own");
    verb->footer(kFooter);
    verb->add_option("--socket", options->socket, "socket of `umbra run --terminator-socket`")
        ->type_name("PATH")
        ->required();
    verb->add_option("--log-level", options->log_level, "lowest level that is logged to standard error")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
        ->type_name("LEVEL")
        ->capture_default_str();
    verb->callback([options, &action] {
        action = [options](Console& console) {
            const auto ended = agent::run_remote_terminator(options->socket, options->log_level);
            return ended ? 0 : report(console, ended.error());
        };
    });
}

}  // namespace umbra::cli
