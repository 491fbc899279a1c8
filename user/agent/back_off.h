// BackOff: how long to wait before something that ended is started again. Doubles from 100 ms to 5 s; a life of more
// than 10 s begins anew.
#pragma once

#include <algorithm>
#include <chrono>

namespace umbra::agent {

class BackOff {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds kFirst{100};
    static constexpr std::chrono::milliseconds kLongest{5000};
    static constexpr std::chrono::seconds kSteadyLife{10};

    void started(Clock::time_point now = Clock::now()) { started_ = now; }
    std::chrono::milliseconds next(Clock::time_point now = Clock::now()) {
        if (now - started_ > kSteadyLife) pause_ = kFirst;
        const auto pause = pause_;
        pause_ = std::min(pause_ * 2, kLongest);
        return pause;
    }

private:
    std::chrono::milliseconds pause_ = kFirst;
    Clock::time_point started_ = Clock::now();
};

}  // namespace umbra::agent
