#include <memory>
#include <ostream>

#include "cli/install.h"
#include "cli/kubectl_install.h"

namespace umbra::cli {

namespace {

constexpr const char* kFooter = R"(Examples:
  umbra install --dry-run > umbra.yaml
  umbra install --image registry.example/umbra:1.0 --pod-monitor
  umbra install --crds              the resource definitions alone)";
constexpr const char* kUninstallFooter = R"(Examples:
  umbra uninstall                   rules stay in the cluster
  umbra uninstall --crds            and so nothing of Umbra does)";

struct Options {
    InstallOptions install;
    KubectlOptions kubectl;
    bool dry_run = false, crds = false;
};

// Everything is made in the order of the text: definitions and namespace come first.
int run_install(const Options& options, const KubectlOptions& kubectl, Console& console) {
    std::string text(Manifests::kCrds);
    if (!options.crds) {
        const auto agent = agent_manifests(options.install);
        if (!agent) return report(console, agent.error());
        text += *agent;
    }
    if (options.dry_run) {
        console.out << text;
        return 0;
    }
    const auto said = Kubectl(kubectl).output({"apply", "-f", "-"}, text);
    if (!said) return report(console, said.error());
    console.out << *said;
    return 0;
}

int run_uninstall(const Options& options, const KubectlOptions& kubectl, Console& console) {
    auto text = agent_manifests(options.install);
    if (!text) return report(console, text.error());
    if (options.crds) *text += Manifests::kCrds;
    if (options.dry_run) {
        console.out << *text;
        return 0;
    }
    const auto said = Kubectl(kubectl).output({"delete", "--ignore-not-found", "-f", "-"}, *text);
    if (!said) return report(console, said.error());
    console.out << *said;
    return 0;
}

CLI::App* add_verb(CLI::App& app, const char* name, const char* about, Options& options) {
    CLI::App* verb = app.add_subcommand(name, about);
    verb->add_flag("--dry-run", options.dry_run, "print the manifests and do nothing");
    verb->add_option("--namespace", options.install.ns, "a namespace for Umbra alone")
        ->type_name("NAME")
        ->capture_default_str();
    return verb;
}

}  // namespace

void add_install(CLI::App& app, Action& action, const KubectlOptions* kubectl) {
    auto options = std::make_shared<Options>();
    const KubectlOptions* used = kubectl ? kubectl : &options->kubectl;
    CLI::App* verb = add_verb(app, "install", "put Umbra on a Kubernetes cluster, by kubectl apply", *options);
    verb->footer(kFooter);
    verb->add_option("--image", options->install.image, "default: umbra:" UMBRA_VERSION)->type_name("IMAGE");
    verb->add_flag("--privileged", options->install.privileged,
                   "a privileged loader: kernels before 5.11, runtimes that hide /dev/net/tun");
    verb->add_flag("--pod-monitor", options->install.pod_monitor,
                   "a PodMonitor; the metrics are then open on the node's addresses");
    verb->add_flag("--crds", options->crds, "the resource definitions alone");
    if (!kubectl) add_cluster(*verb, options->kubectl);
    verb->callback([options, used, &action] {
        action = [options, used](Console& console) { return run_install(*options, *used, console); };
    });
}

void add_uninstall(CLI::App& app, Action& action, const KubectlOptions* kubectl) {
    auto options = std::make_shared<Options>();
    const KubectlOptions* used = kubectl ? kubectl : &options->kubectl;
    CLI::App* verb = add_verb(app, "uninstall", "remove Umbra from a Kubernetes cluster", *options);
    verb->footer(kUninstallFooter);
    verb->add_flag("--crds", options->crds, "also the resource definitions, and with them all rules");
    if (!kubectl) add_cluster(*verb, options->kubectl);
    // The monitor is in the namespace and goes with it.
    verb->callback([options, used, &action] {
        action = [options, used](Console& console) { return run_uninstall(*options, *used, console); };
    });
}

void add_cluster(CLI::App& app, KubectlOptions& options) {
    app.add_option("--context", options.context, "context of the kubeconfig")->type_name("NAME");
    app.add_option("--kubeconfig", options.kubeconfig, "kubeconfig to use")->type_name("FILE");
}

void setup_install(CLI::App& app, Action& action) { add_install(app, action, nullptr); }
void setup_uninstall(CLI::App& app, Action& action) { add_uninstall(app, action, nullptr); }

}  // namespace umbra::cli
