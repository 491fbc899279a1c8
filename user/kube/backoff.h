// Backoff: growing pauses with jitter. Random is handed in: a number from 0 up to 1.
#pragma once

#include <algorithm>
#include <functional>

#include "base/clock.h"

namespace umbra::kube {

using Random = std::function<double()>;

class Backoff {
public:
    Backoff(TimeNs first, TimeNs most) : first_(first), most_(most), pause_(first) {}

    // Half of the pause to all of it, so that many clients do not come back at once.
    TimeNs next(const Random& random) {
        const TimeNs pause = pause_;
        pause_ = std::min(pause_ * 2, most_);
        return pause / 2 + static_cast<TimeNs>(random() * static_cast<double>(pause / 2));
    }
    void reset() { pause_ = first_; }

private:
    TimeNs first_, most_, pause_;
};

}  // namespace umbra::kube
