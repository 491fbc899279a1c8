#include "control/exceptions.h"

#include "control/client.h"
#include "control/frame.h"

namespace umbra::control {

namespace {

using enum LimitKind;
using enum Action;

constexpr std::uint64_t nanoseconds(std::chrono::nanoseconds time) { return static_cast<std::uint64_t>(time.count()); }

constexpr FixedLimit kLimits[] = {
    {"control_clients", count, kMaxClients, close_client, "error", "a client more", "clients of the control socket"},
    {"control_request", bytes, kMaxRequestBytes, close_client, "error", "a longer request",
     "a request to the control socket"},
    {"control_response", bytes, kMaxResponseBytes, refuse_request, "error", "a question with a longer answer",
     "an answer of the control socket"},
    {"control_depth", count, kMaxMessageDepth, refuse_request, "error", "a level more", "levels of a request"},
    {"control_deadline", time, nanoseconds(kDeadline), close_client, "error", "half a request",
     "a whole request, or taking a whole answer"},
    {"control_patience", time, nanoseconds(kClientTimeout), refuse_request, "error", "an agent that is stopped",
     "a command waits for the agent's answer"},
};

}  // namespace

std::vector<ExceptionRow> list_limits() { return fixed_rows(kLimits); }

}  // namespace umbra::control
