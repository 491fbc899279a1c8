// Files of rules against what the cluster has: judged here, before the API server gets them.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/kubectl_client.h"

namespace umbra::cli {

// The plan of the cluster's registry and rules with the files over them; findings go to err.
Result<rules::Plan> cluster_plan(const Kubectl& kubectl, const std::vector<std::string>& files, Console& console);

// kubectl apply of files that pass the check; kubectl delete of files, or of one rule or policy by name.
int apply_rules(const Kubectl& kubectl, const std::vector<std::string>& files, Console& console);
int delete_files(const Kubectl& kubectl, const std::vector<std::string>& files, Console& console);
int delete_object(const Kubectl& kubectl, const std::string& what, const std::string& name, Console& console);

}  // namespace umbra::cli
