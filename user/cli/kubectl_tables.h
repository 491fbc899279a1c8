// What all agents said, as one table with a column NODE, or as one JSON document.
#pragma once

#include <string>
#include <vector>

#include "cli/kubectl_agents.h"

namespace umbra::cli {

// ns: only rules of this namespace; empty: all.
std::string nodes_status(const std::vector<AgentAnswer>& agents, const std::string& ns);
std::string nodes_ledger(const std::vector<AgentAnswer>& agents, const std::string& ns);
std::string nodes_list(const std::vector<AgentAnswer>& agents, const std::string& what, const std::string& ns);
std::string nodes_version(const std::vector<AgentAnswer>& agents);

// [{node, pod, answer | error}]
control::Json nodes_json(const std::vector<AgentAnswer>& agents);

bool all_answered(const std::vector<AgentAnswer>& agents);
bool all_ledgers_close(const std::vector<AgentAnswer>& agents);

}  // namespace umbra::cli
