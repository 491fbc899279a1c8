#include <sched.h>

#include <algorithm>
#include <memory>

#include "agent/agent.h"
#include "cli/command.h"

#include "umbra/abi/limits.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter = R"(Examples:
  umbra run -f /etc/umbra
  umbra run -f registry.yaml -f rule.yaml --iface eth0 --workers 4
  umbra run --attach clsact --mode one-sided --log-level debug
  umbra run --take-over                          in the place of the agent that runs, which ends

Needs CAP_BPF and CAP_NET_ADMIN (root). Ends on SIGTERM and SIGINT and leaves nothing behind.)";

// One worker per CPU that the process may use.
unsigned default_workers() {
    cpu_set_t cpus;
    if (::sched_getaffinity(0, sizeof(cpus), &cpus) != 0) return 1;
    return std::clamp(static_cast<unsigned>(CPU_COUNT(&cpus)), 1u, static_cast<unsigned>(UMBRA_MAX_WORKERS));
}

int run_agent_verb(const agent::AgentOptions& options, Console& console) {
    const auto ended = agent::run_agent(options);
    return ended ? 0 : report(console, ended.error());
}

// The other processes of the agent, and the cluster that one of them watches.
void add_processes(CLI::App& verb, agent::AgentOptions& options) {
    auto* kubernetes =
        verb.add_flag("--kubernetes", options.kubernetes, "rules and endpoints also come from a Kubernetes cluster");
    verb.add_option("--kubeconfig", options.kubeconfig,
                    "where the cluster is; default: $KUBECONFIG, then the pod's own account; the user 'umbra' must be "
                    "able to read it")
        ->needs(kubernetes)
        ->type_name("PATH");
    verb.add_option("--context", options.context, "context of the kubeconfig")->needs(kubernetes)->type_name("NAME");
    verb.add_option("--metrics", options.metrics, "serve /metrics, /healthz and /readyz here, e.g. 127.0.0.1:9464")
        ->type_name("ADDR:PORT");
    verb.add_option("--group", options.group,
                    "group, by name or number, whose members may read the control socket and be the terminator or "
                    "controller of the options below")
        ->type_name("GROUP")
        ->capture_default_str();
    verb.add_option("--terminator-socket", options.terminator_socket,
                    "do not start the terminator: wait for `umbra terminator` at this socket")
        ->type_name("PATH");
    verb.add_option("--controller-socket", options.controller_socket,
                    "rules and endpoints also come from `umbra controller`, which connects here")
        ->excludes(kubernetes)
        ->type_name("PATH");
    verb.add_option("--node", options.node,
                    "name of this Kubernetes node: endpoints of other nodes are left to their agents")
        ->envname("NODE_NAME")
        ->type_name("NAME");
}

}  // namespace

void setup_run(CLI::App& app, Action& action) {
    struct Options {
        agent::AgentOptions agent;
        std::string mode = "strict";
        std::string attach = "auto";
    };
    auto options = std::make_shared<Options>();
    options->agent.workers = default_workers();
    CLI::App* verb = app.add_subcommand("run", "run the agent");
    verb->footer(kFooter);
    add_files(*verb, options->agent.files);
    verb->add_option("--iface", options->agent.ifaces, "attach to these devices only; repeatable")
        ->type_name("DEVICE")
        ->expected(1)
        ->take_all();
    verb->add_option("--netns", options->agent.netns,
                     "work in this network namespace, e.g. a pod's; needs CAP_SYS_ADMIN to enter it")
        ->type_name("PATH");
    verb->add_option("--mode", options->mode,
                     "strict: mirror what the server acknowledged; one-sided: do not wait for it")
        ->check(CLI::IsMember({"strict", "one-sided"}))
        ->type_name("MODE")
        ->capture_default_str();
    verb->add_option("--attach", options->attach, "how the programs are attached")
        ->check(CLI::IsMember({"auto", "tcx", "clsact"}))
        ->type_name("auto|tcx|clsact")
        ->capture_default_str();
    verb->add_option("--workers", options->agent.workers, "worker threads; default: one per usable CPU")
        ->check(CLI::Range(1, UMBRA_MAX_WORKERS))
        ->type_name("N")
        ->capture_default_str();
    add_targets(*verb, options->agent.allow_targets, options->agent.only_targets);
    verb->add_option(
            "--limit", options->agent.limits,
            "sets a limit, e.g. response_timeout=5s or queue_memory=64M; repeatable; 'umbra limits' lists them")
        ->type_name("NAME=VALUE")
        ->expected(1)
        ->take_all();
    verb->add_option("--force", options->agent.forced,
                     "a test: the limit of this name acts as reached at every check, or every N-th; repeatable")
        ->type_name("NAME[=N]")
        ->expected(1)
        ->take_all()
        ->group("");  // not for the help: 'umbra limits' names it
    verb->add_option("--trip", options->agent.trip,
                     "sets a threshold above which fewer flows are mirrored, in the end none, e.g. cpu=50%, memory=1G, "
                     "softnet=off; off switches all off; repeatable; 'umbra status -o wide' lists them")
        ->type_name("NAME=VALUE")
        ->expected(1)
        ->take_all();
    verb->add_option("--inject-loss", options->agent.inject_loss,
                     "a test: throws this share of the captured client packets away, to show what the mirror then gets")
        ->type_name("PERCENT[,SEED]")
        ->group("");  // not for the help: see user/capture/README.md
    add_socket(*verb, options->agent.socket);
    verb->add_flag(
        "--take-over", options->agent.take_over,
        "take over from the agent that runs at --socket, an upgrade without a gap: its rules, with -f merged "
        "over them, its pause and its places on the devices; then it ends");
    add_processes(*verb, options->agent);
    verb->add_option("--log-level", options->agent.log_level, "lowest level that is logged to standard error")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
        ->type_name("LEVEL")
        ->capture_default_str();
    verb->callback([options, &action] {
        options->agent.one_sided = options->mode == "one-sided";
        if (options->attach == "tcx") options->agent.attach = loader::AttachMode::tcx;
        if (options->attach == "clsact") options->agent.attach = loader::AttachMode::clsact;
        action = [options](Console& console) { return run_agent_verb(options->agent, console); };
    });
}

}  // namespace umbra::cli
