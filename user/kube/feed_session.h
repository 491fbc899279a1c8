// FeedSession: what is to be told to the loader and when: whole after a reconnect, then differences in batches, health
// at most once a second. Pure: times are handed in, frames come out.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "kube/picture.h"

namespace umbra::kube {

struct FeedTimings {
    TimeNs batch = 30 * kMillisecond;  // a change waits so long for others
    TimeNs health = kSecond;
    TimeNs demand = kSecond;  // so long a loader's demand is awaited before it counts as empty
};

class FeedSession {
public:
    FeedSession(Picture& picture, FeedTimings timings) : picture_(picture), timings_(timings) {}

    // A new loader, or the old one again: it is told everything anew.
    void begin(TimeNs now);
    void demand_arrived() { demand_known_ = true; }

    // The next frame, when it is time for one. settled: the watches have all that is demanded. health is made only
    // when it is due.
    std::optional<std::string> next(bool settled, const std::function<Json()>& health, TimeNs now);
    TimeNs wake_at() const;
    bool synced() const { return synced_; }

private:
    bool demand_certain(TimeNs now) const { return demand_known_ || now >= began_at_ + timings_.demand; }

    Picture& picture_;
    FeedTimings timings_;
    bool reset_due_ = false, synced_ = false, demand_known_ = false;
    TimeNs began_at_ = 0;
    TimeNs flush_at_ = 0;   // 0: nothing waits
    TimeNs health_at_ = 0;  // not before
    Json health_;           // that was sent last
};

}  // namespace umbra::kube
