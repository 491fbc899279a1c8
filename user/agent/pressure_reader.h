// Reads one observation of the running agent. The controller and the exporter are not counted; neither is a terminator
// that this process cannot see in /proc (another container's, or hidden by the mount's hidepid).
#pragma once

#include "agent/pressure.h"
#include "agent/runtime.h"

namespace umbra::agent {

Machine this_machine();
Observation observe(const Runtime& runtime, TimeNs now);

}  // namespace umbra::agent
