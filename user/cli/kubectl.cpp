#include "cli/kubectl.h"

#include <memory>
#include <ostream>

#include "cli/kubectl_install.h"
#include "cli/kubectl_rules.h"
#include "cli/kubectl_tables.h"
#include "cli/render.h"

#include "umbra/abi/version.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter = R"(Examples:
  kubectl umbra install
  kubectl umbra apply -f rule.yaml              checked against the cluster first
  kubectl umbra status                          all nodes, all rules
  kubectl umbra ledger -n shop                  what became of every request, by node
  kubectl umbra get endpoints --node worker-1

An agent that cannot be asked is a row with the reason, and the exit code is 1.)";

using Options = std::shared_ptr<KubectlOptions>;
using Text = std::string (*)(const std::vector<AgentAnswer>&, const std::string&);

void print_answers(const KubectlOptions& options, const std::vector<AgentAnswer>& agents, const std::string& text,
                   Console& console) {
    if (options.output == "json")
        console.out << as_json(nodes_json(agents));
    else if (options.output == "yaml")
        console.out << as_yaml(nodes_json(agents));
    else
        console.out << text;
}

int run_status(const KubectlOptions& options, Console& console) {
    const auto agents = ask_agents(Kubectl(options), {"status"});
    if (!agents) return report(console, agents.error());
    print_answers(options, *agents, nodes_status(*agents, options.ns), console);
    return all_answered(*agents) ? 0 : 1;
}

int run_ledger(const KubectlOptions& options, Console& console) {
    const auto agents = ask_agents(Kubectl(options), {"ledger"});
    if (!agents) return report(console, agents.error());
    print_answers(options, *agents, nodes_ledger(*agents, options.ns), console);
    return all_ledgers_close(*agents) ? 0 : 1;
}

int run_get(const KubectlOptions& options, const std::string& what, const std::string& name, Console& console) {
    std::vector<std::string> arguments{"get", what};
    if (!name.empty()) arguments.push_back(name);
    const auto agents = ask_agents(Kubectl(options), arguments);
    if (!agents) return report(console, agents.error());
    print_answers(options, *agents, nodes_list(*agents, what, options.ns), console);
    return all_answered(*agents) ? 0 : 1;
}

int run_version(const KubectlOptions& options, bool client, Console& console) {
    const std::string own =
        "kubectl umbra " UMBRA_VERSION " (kernel contract " + std::to_string(UMBRA_ABI_VERSION) + ")\n";
    if (client || options.output == "text") console.out << own;
    if (client) return 0;
    const auto agents = ask_agents(Kubectl(options), {"status"});
    if (!agents) return report(console, agents.error());
    print_answers(options, *agents, nodes_version(*agents), console);
    return all_answered(*agents) ? 0 : 1;
}

void add_reading(CLI::App& app, Action& action, const Options& options) {
    app.add_subcommand("status", "every agent, and every rule on every node")->callback([options, &action] {
        action = [options](Console& console) { return run_status(*options, console); };
    });
    app.add_subcommand("ledger", "requests by rule and node; exit code 1 if one does not close")
        ->callback(
            [options, &action] { action = [options](Console& console) { return run_ledger(*options, console); }; });
    auto what = std::make_shared<std::string>(), name = std::make_shared<std::string>();
    CLI::App* get = app.add_subcommand("get", "rules, policies or endpoints, as every agent has them");
    get->add_option("what", *what, "rules, policies or endpoints")
        ->required()
        ->check(CLI::IsMember({"rules", "policies", "endpoints"}))
        ->type_name("");
    get->add_option("name", *name, "one of them")->type_name("");
    get->callback([options, what, name, &action] {
        action = [options, what, name](Console& console) { return run_get(*options, *what, *name, console); };
    });
    auto client = std::make_shared<bool>(false);
    CLI::App* version = app.add_subcommand("version", "of this program and of every agent");
    version->add_flag("--client", *client, "of this program only");
    version->callback([options, client, &action] {
        action = [options, client](Console& console) { return run_version(*options, *client, console); };
    });
}

int run_check(const KubectlOptions& options, const std::vector<std::string>& files, Console& console) {
    const auto plan = cluster_plan(Kubectl(options), files, console);
    if (!plan) return report(console, plan.error());
    print_checked(console, *plan);
    return 0;
}

void add_judging(CLI::App& app, Action& action, const Options& options) {
    auto files = std::make_shared<std::vector<std::string>>();
    CLI::App* check = app.add_subcommand("check", "judge rules by the cluster's services, and change nothing");
    add_files(*check, *files);
    check->callback([options, files, &action] {
        action = [options, files](Console& console) { return run_check(*options, *files, console); };
    });
    add_explain(app, action, [options](Console& console, const std::vector<std::string>& paths) {
        return cluster_plan(Kubectl(*options), paths, console);
    });
}

void add_apply(CLI::App& app, Action& action, const Options& options) {
    auto files = std::make_shared<std::vector<std::string>>();
    CLI::App* apply = app.add_subcommand("apply", "kubectl apply of rules that pass the check");
    add_files(*apply, *files)->required();
    apply->callback([options, files, &action] {
        action = [options, files](Console& console) { return apply_rules(Kubectl(*options), *files, console); };
    });
}

void add_delete(CLI::App& app, Action& action, const Options& options) {
    auto files = std::make_shared<std::vector<std::string>>();
    auto what = std::make_shared<std::string>(), name = std::make_shared<std::string>();
    CLI::App* verb = app.add_subcommand("delete", "kubectl delete of rules, by file or by name");
    CLI::Option* by_file = add_files(*verb, *files);
    CLI::Option* kind = verb->add_option("what", *what, "rule or policy")
                            ->check(CLI::IsMember({"rule", "policy"}))
                            ->type_name("")
                            ->excludes(by_file);
    CLI::Option* named = verb->add_option("name", *name, "NAME or NAMESPACE/NAME")->type_name("");
    kind->needs(named);
    verb->callback([options, files, what, name, &action] {
        action = [options, files, what, name](Console& console) {
            const Kubectl kubectl(*options);
            if (files->empty() && name->empty())
                return report(console,
                              {ErrorCode::usage, "delete: nothing is named", "-f PATH, or rule NAME, or policy NAME"});
            return files->empty() ? delete_object(kubectl, *what, *name, console)
                                  : delete_files(kubectl, *files, console);
        };
    });
}

void add_common(CLI::App& app, KubectlOptions& options) {
    app.add_option("-n,--namespace", options.ns, "rules of this namespace only; default: all")->type_name("NAME");
    app.add_option("--agent-namespace", options.agent_ns, "where the agents run")
        ->type_name("NAME")
        ->capture_default_str();
    app.add_option("--node", options.node, "the agent of this node only")->type_name("NAME");
    add_cluster(app, options);
    app.add_option("--timeout", options.timeout, "seconds for each agent to answer")
        ->check(CLI::Range(1, 600))
        ->type_name("SECONDS")
        ->capture_default_str();
    add_output(app, options.output, {"text", "json", "yaml"});
}

}  // namespace

int run_kubectl(std::vector<std::string> arguments, Console& console) {
    CLI::App app("Umbra on a Kubernetes cluster: all agents at once, rules as resources.", "kubectl umbra");
    app.set_version_flag("--version", "umbra " UMBRA_VERSION);
    app.require_subcommand(1);
    app.footer(kFooter);
    app.get_formatter()->column_width(34);
    app.fallthrough();  // options of all verbs may follow the verb
    auto options = std::make_shared<KubectlOptions>();
    Action action;
    add_common(app, *options);
    add_reading(app, action, options);
    add_judging(app, action, options);
    add_apply(app, action, options);
    add_delete(app, action, options);
    add_install(app, action, options.get());
    add_uninstall(app, action, options.get());
    return run_app(app, action, std::move(arguments), console);
}

}  // namespace umbra::cli
