// The log of the agent's processes: one line per event on standard error.
#pragma once

#include <string>

namespace umbra::agent {

void start_log(const std::string& level);

}  // namespace umbra::agent
