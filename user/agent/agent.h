// The agent: `umbra run` from its first line to its last. What it consists of stands in this folder's README.
#pragma once

#include "agent/options.h"
#include "base/result.h"

namespace umbra::agent {

// Blocks until SIGTERM, SIGINT or SIGHUP. The process must have one thread. Findings about rules go to stderr.
Result<void> run_agent(const AgentOptions& options);

}  // namespace umbra::agent
