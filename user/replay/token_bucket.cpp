#include "replay/token_bucket.h"

#include <algorithm>

namespace umbra {

void TokenBucket::fill(TimeNs now) {
    if (now <= filled_at_) return;
    const TimeNs passed = now - filled_at_;
    if (passed >= kSecond) {
        tokens_ = rate_;
        filled_at_ = now;
        return;
    }
    using Wide = unsigned __int128;
    const auto gained = static_cast<std::uint64_t>(Wide{passed} * rate_ / kSecond);
    tokens_ = std::min<std::uint64_t>(rate_, tokens_ + gained);
    // Only the time that whole tokens took, so that none is lost to rounding.
    filled_at_ += static_cast<TimeNs>(Wide{gained} * kSecond / rate_);
}

bool TokenBucket::has(std::uint64_t count, TimeNs now) {
    if (rate_ == 0) return true;
    fill(now);
    return tokens_ >= count;
}

bool TokenBucket::take(std::uint64_t count, TimeNs now) {
    if (!has(count, now)) return false;
    if (rate_ != 0) tokens_ -= count;
    return true;
}

}  // namespace umbra
