// From what the command line says to what the agent starts with.
#pragma once

#include <string>
#include <vector>

#include "agent/options.h"
#include "agent/rule_store.h"
#include "agent/terminator_process.h"

namespace umbra::agent {

Result<TerminatorSettings> terminator_settings(const AgentOptions& options, std::uint32_t queue_length);
// Findings go to stderr.
Result<RuleStore> load_rules(const AgentOptions& options);

}  // namespace umbra::agent
