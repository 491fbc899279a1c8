// All agents of a cluster, asked at once through `kubectl exec`.
#pragma once

#include <string>
#include <vector>

#include "cli/kubectl_client.h"

namespace umbra::cli {

inline constexpr std::size_t kParallelAgents = 8;

// What the agent of one node said, or why it said nothing.
struct AgentAnswer {
    std::string node, pod;
    control::Json answer;  // null when error is given
    std::string error;
};

// Runs `umbra ARGUMENTS -o json` in the loader of every agent, sorted by node; an agent that fails is an answer too.
Result<std::vector<AgentAnswer>> ask_agents(const Kubectl& kubectl, const std::vector<std::string>& arguments);

}  // namespace umbra::cli
