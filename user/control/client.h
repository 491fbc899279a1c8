// One request to the running agent, blocking, within a time limit. For the command line.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "control/message.h"

namespace umbra::control {

inline constexpr std::chrono::seconds kClientTimeout{20};

// An Error means that there was no answer; the agent's own refusals are Responses.
Result<Response> ask(const std::string& socket_path, const Json& request,
                     std::chrono::milliseconds timeout = kClientTimeout);

}  // namespace umbra::control
