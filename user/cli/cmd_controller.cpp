#include <memory>

#include "cli/command.h"
#include "kube/controller.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter = R"(Examples:
  umbra controller --socket /run/umbra/controller/controller.sock
  umbra controller --kubeconfig ~/.kube/config --context staging --node worker-1

Watches the Kubernetes API and tells the agent what it needs of it. Runs without privileges; ends on SIGTERM.
The API is the kubeconfig's, else that of $KUBECONFIG, else that of the pod, else that of ~/.kube/config.)";

struct Options {
    kube::ControllerOptions controller;
    std::uint32_t watch_seconds = 0;
    std::uint32_t silence_seconds = 0;
};

void add_tuning(CLI::App& verb, Options& options) {
    verb.add_option("--watch-seconds", options.watch_seconds, "a test: how long each watch lasts")
        ->check(CLI::Range(1, 3600))
        ->group("");
    verb.add_option("--silence-seconds", options.silence_seconds, "a test: silence after which a watch is dead")
        ->check(CLI::Range(1, 3600))
        ->group("");
}

int run(const Options& given, Console& console) {
    kube::ControllerOptions options = given.controller;
    auto& timings = options.watches.timings;
    if (given.watch_seconds != 0) timings.least_watch_seconds = timings.most_watch_seconds = given.watch_seconds;
    if (given.silence_seconds > 0) options.watches.silence = given.silence_seconds * kSecond;
    const auto ended = kube::run_controller(options);
    return ended ? 0 : report(console, ended.error());
}

}  // namespace

void setup_controller(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    kube::ControllerOptions& controller = options->controller;
    CLI::App* verb = app.add_subcommand("controller", "watch the Kubernetes API for the agent");
    verb->footer(kFooter);
    verb->add_option("--socket", controller.socket, "socket of the agent for its controller")
        ->type_name("PATH")
        ->capture_default_str();
    verb->add_option("--kubeconfig", controller.config.kubeconfig, "where the API is and how to speak to it")
        ->type_name("FILE");
    verb->add_option("--context", controller.config.context, "context of the kubeconfig; default: its current one")
        ->type_name("NAME");
    verb->add_option("--node", controller.node, "this node's name; default: $NODE_NAME, else the host's name")
        ->type_name("NAME");
    verb->add_option("-n,--namespace", controller.ns,
                     "namespace of the agents' leases; default: $POD_NAMESPACE, else the service account's, else "
                     "umbra-system")
        ->type_name("NAME");
    verb->add_option("--log-level", controller.log_level, "lowest level that is logged to standard error")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
        ->type_name("LEVEL")
        ->capture_default_str();
    add_tuning(*verb, *options);
    verb->callback([options, &action] { action = [options](Console& console) { return run(*options, console); }; });
}

}  // namespace umbra::cli
