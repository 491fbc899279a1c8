// The terminator as a program of its own: `umbra terminator`, for places where the loader may not change users and a
// container does it instead. Connects to the loader, serves until the connection ends, connects again.
#pragma once

#include <string>

#include "base/result.h"

namespace umbra::agent {

// Blocks until SIGTERM or SIGINT. The process must have one thread. Each connection is served by a child process, so
// that nothing of one session, not even a crash, reaches the next.
Result<void> run_remote_terminator(const std::string& socket_path, const std::string& log_level);

}  // namespace umbra::agent
