// install and uninstall, which `umbra` and `kubectl umbra` both have.
#pragma once

#include "cli/command.h"
#include "cli/kubectl_client.h"

namespace umbra::cli {

// --context and --kubeconfig.
void add_cluster(CLI::App& app, KubectlOptions& options);

// kubectl: the options that were given before the verb; null: the verb has its own.
void add_install(CLI::App& app, Action& action, const KubectlOptions* kubectl);
void add_uninstall(CLI::App& app, Action& action, const KubectlOptions* kubectl);

}  // namespace umbra::cli
