#include "kube/feed_session.h"

#include <algorithm>
#include <utility>

#include "kube/feed_writer.h"

namespace umbra::kube {

void FeedSession::begin(TimeNs now) {
    picture_.resend_all();
    reset_due_ = true;
    synced_ = demand_known_ = false;
    began_at_ = flush_at_ = now;
    health_at_ = now;
    health_ = Json();
}

std::optional<std::string> FeedSession::next(bool settled, const std::function<Json()>& health, TimeNs now) {
    if (flush_at_ == 0 && picture_.pending()) flush_at_ = now + timings_.batch;
    const bool flush = reset_due_ || (flush_at_ != 0 && now >= flush_at_);
    Picture::Part part;
    if (flush) part = picture_.take(kMaxFrameObjects, kFrameObjectBytes);
    // More that waits goes out at once: it has waited long enough.
    if (flush && !picture_.pending()) flush_at_ = 0;
    const bool now_synced = synced_ || (settled && demand_certain(now) && !picture_.pending());
    Json changed;
    if (now >= health_at_) {
        changed = health();
        health_at_ = now + timings_.health;
        if (changed == health_) changed = Json();
        if (!changed.is_null()) health_ = changed;
    }
    if (part.empty() && !reset_due_ && now_synced == synced_ && changed.is_null()) return std::nullopt;
    synced_ = now_synced;
    return changes_frame(part, std::exchange(reset_due_, false), synced_, changed);
}

TimeNs FeedSession::wake_at() const {
    TimeNs at = health_at_;
    if (flush_at_ != 0) at = std::min(at, flush_at_);
    if (!synced_ && !demand_known_) at = std::min(at, began_at_ + timings_.demand);
    return picture_.pending() && flush_at_ == 0 ? 0 : at;
}

}  // namespace umbra::kube
