// `kubectl umbra`: the same verbs over all agents of a cluster, by running kubectl.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace umbra::cli {

// What follows the program's name on the command line; returns the exit code.
int run_kubectl(std::vector<std::string> arguments, Console& console);

}  // namespace umbra::cli
