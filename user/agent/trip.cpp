#include "agent/trip.h"

#include <algorithm>

namespace umbra::agent {

namespace {

// A step up doubles what depends on the traffic: below 40 % it stays below the threshold. Memory does not follow it.
constexpr PerPressure<double> kLowMarks{0.4, 0.8, 0.4, 0.4, 0.4};

}  // namespace

std::optional<Pressure> Trip::highest_above(const PressureValues& values) const {
    std::optional<Pressure> highest;
    double most = 1;
    for (std::size_t i = 0; i < kPressures; ++i) {
        if (!values[i] || !settings_.thresholds[i]) continue;
        const double ratio = *values[i] / *settings_.thresholds[i];
        if (ratio <= most) continue;
        most = ratio;
        highest = static_cast<Pressure>(i);
    }
    return highest;
}

bool Trip::all_low(const PressureValues& values) const {
    for (std::size_t i = 0; i < kPressures; ++i) {
        if (values[i] && settings_.thresholds[i] && *values[i] > *settings_.thresholds[i] * kLowMarks[i]) return false;
    }
    return true;
}

TimeNs Trip::wait() const {
    TimeNs wait = std::min(settings_.recover, kLongestWait);
    for (unsigned i = 0; i < relapses_ && wait < kLongestWait; ++i) wait *= 2;
    return std::min(wait, kLongestWait);
}

TripStep Trip::go_down(Pressure cause, TimeNs now) {
    if (went_up_ && now - *went_up_ >= kForgive) {
        relapses_ = 0;
    } else if (went_up_) {
        relapses_ = std::min(relapses_ + 1, kMostRelapses);
    }
    went_up_.reset();
    ++trips_[static_cast<std::size_t>(cause)];
    ++level_;
    return {level_ - 1, level_, cause};
}

TripStep Trip::go_up(TimeNs now) {
    went_up_ = now;
    --level_;
    return {level_ + 1, level_, std::nullopt};
}

std::optional<TripStep> Trip::step(const PressureValues& values, TimeNs now) {
    const TimeNs begin = last_.value_or(now);  // of the second that the values are of
    last_ = now;
    const auto cause = highest_above(values);
    const bool low = !cause && all_low(values);
    if (!cause) above_.reset();
    if (!low) low_.reset();
    std::optional<TripStep> step;
    if (cause) {
        if (!above_) above_ = begin;
        if (now - *above_ >= settings_.after && level_ < kPaused) step = go_down(*cause, now);
    } else if (low && level_ > 0) {
        if (!low_) low_ = begin;
        if (now - *low_ >= wait()) step = go_up(now);
    }
    if (step) {
        above_.reset();
        low_.reset();
    }
    return step;
}

void Trip::adopt(unsigned level, unsigned relapses) {
    reset();
    level_ = std::min(level, kPaused);
    relapses_ = std::min(relapses, kMostRelapses);
}

void Trip::reset() {
    level_ = 0;
    above_.reset();
    low_.reset();
    went_up_.reset();
}

}  // namespace umbra::agent
