// Trip: decides, once a second, how much is cloned under pressure. Pure: values and time in, steps out; who measures is
// pressure.h, who carries out clone_switch.h.
//
// Level 0 clones everything, each level half of the one before, kPaused nothing. One step down after `after` above a
// threshold, and no sooner after the step before, so that its effect can show. One step up after wait() below every low
// mark. A step up is a trial: if it has to be taken back, the next wait is twice as long, kLongestWait at most; it is
// `recover` again once everything was cloned for kForgive.
#pragma once

#include <optional>

#include "agent/trip_settings.h"
#include "base/clock.h"

namespace umbra::agent {

// Of the last second; nothing: not measurable, or too little traffic to judge by.
using PressureValues = PerPressure<std::optional<double>>;

struct TripStep {
    unsigned from = 0;
    unsigned to = 0;
    std::optional<Pressure> cause;  // of a step down

    bool down() const { return to > from; }
};

class Trip {
public:
    static constexpr unsigned kPaused = 4;
    static constexpr TimeNs kLongestWait = 600 * kSecond;
    static constexpr TimeNs kForgive = 600 * kSecond;
    static constexpr unsigned kMostRelapses = 16;

    explicit Trip(const TripSettings& settings) : settings_(settings) {}

    std::optional<TripStep> step(const PressureValues& values, TimeNs now);
    // Everything is cloned again because somebody said so.
    void reset();
    // Where another one stood.
    void adopt(unsigned level, unsigned relapses);

    unsigned level() const { return level_; }
    unsigned relapses() const { return relapses_; }
    TimeNs wait() const;
    const PerPressure<std::uint64_t>& trips() const { return trips_; }  // steps down

private:
    std::optional<Pressure> highest_above(const PressureValues& values) const;
    bool all_low(const PressureValues& values) const;
    TripStep go_down(Pressure cause, TimeNs now);
    TripStep go_up(TimeNs now);

    TripSettings settings_;
    unsigned level_ = 0;
    unsigned relapses_ = 0;
    std::optional<TimeNs> last_;     // the step() before
    std::optional<TimeNs> above_;    // since when
    std::optional<TimeNs> low_;      // since when
    std::optional<TimeNs> went_up_;  // when, if that was the last step
    PerPressure<std::uint64_t> trips_{};
};

}  // namespace umbra::agent
