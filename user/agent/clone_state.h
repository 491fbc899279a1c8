// CloneState: what `umbra pause` and the trip have decided, as a value that a newer agent can carry on with.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "agent/trip.h"
#include "base/result.h"
#include "control/message.h"

namespace umbra::agent {

struct Pause {
    std::optional<uid_t> uid;  // nothing: the trip
    double since = 0;          // wall clock
    std::string reason;
};

struct LastStep {
    TripStep step;
    double at = 0;  // wall clock
    std::string values;
};

struct CloneState {
    std::optional<Pause> by_operator, by_trip;
    unsigned level = 0;     // of the trip
    unsigned relapses = 0;  // of the trip
    std::optional<LastStep> last_step;
};

control::Json to_json(const CloneState& state);
Result<CloneState> clone_state_from(const control::Json& json);

}  // namespace umbra::agent
