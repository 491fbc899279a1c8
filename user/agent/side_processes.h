// How the loader starts the controller and the exporter on a host where it may change users.
#pragma once

#include "agent/child_process.h"
#include "agent/options.h"

namespace umbra::agent {

// connection: this end of the feed, for Cluster::adopt.
Result<ChildProcess> start_controller(const AgentOptions& options, UniqueFd& connection);
// Reads the control socket as a member of the agent's group, which must exist.
Result<ChildProcess> start_exporter(const AgentOptions& options);

}  // namespace umbra::agent
