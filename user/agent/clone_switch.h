// CloneSwitch: who has lowered or stopped cloning, when and why: an operator (`umbra pause`), who alone ends that, or
// the trip, which also goes back by itself. Says it in the log and for `umbra status`. Not kept over a restart, but
// over a take-over.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "agent/clone_state.h"
#include "agent/pressure.h"
#include "agent/runtime.h"
#include "agent/trip.h"
#include "control/message.h"

namespace umbra::agent {

class CloneSwitch {
public:
    static constexpr std::size_t kMaxReason = 200;

    // changed: called when cloning was paused or goes on. The runtime outlives this object.
    CloneSwitch(Runtime& runtime, const TripSettings& settings, std::function<void()> changed);

    // Changes who, when and why if it is paused already. reason: see is_reason().
    Result<void> pause(uid_t uid, const std::string& reason);
    // Everything is cloned again, whoever stopped it. What the trip is about can make it step down again.
    Result<void> resume(uid_t uid);
    // At most kMaxReason bytes, none of them a control character: it goes into the log.
    static bool is_reason(const std::string& reason);

    // Once a second.
    void observe(const Observation& seen);

    // For an agent that takes over, and in it. Without a trip of its own it clones everything that is not paused.
    CloneState state() const;
    Result<void> adopt(const CloneState& state);

    const TripSettings& settings() const { return settings_; }
    // Adds "paused", "clone_share" and "trip".
    void report(control::Json& status) const;

private:
    loader::CloneShare wanted() const;
    Result<void> put_in_force();
    void take(const TripStep& step, const PressureValues& values);
    control::Json trip_report() const;

    Runtime& runtime_;
    TripSettings settings_;
    std::function<void()> changed_;
    Machine machine_;
    Trip trip_;
    std::optional<Pause> by_operator_, by_trip_;
    std::optional<Observation> seen_;
    PressureValues values_;
    std::optional<LastStep> last_step_;
    bool told_paused_ = false;
};

}  // namespace umbra::agent
