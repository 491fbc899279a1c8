// TokenBucket: bytes per second, with one second of burst at most. Pure: the time comes with the calls.
#pragma once

#include <cstdint>

#include "base/bound.h"
#include "base/clock.h"

namespace umbra {

class TokenBucket {
public:
    // 0: everything passes.
    explicit TokenBucket(const Bound& per_second) : rate_(per_second), tokens_(per_second) {}

    bool has(std::uint64_t count, TimeNs now);
    // All or nothing.
    bool take(std::uint64_t count, TimeNs now);
    bool forced_empty() const { return rate_.forced(); }

private:
    void fill(TimeNs now);

    const Bound rate_;
    std::uint64_t tokens_;
    TimeNs filled_at_ = 0;
};

// RateAccount: a mirror's bucket and the one that all mirrors of a worker share: bytes pass when the mirror's own rate
// and the worker's allow them.
class RateAccount {
public:
    RateAccount(std::uint64_t own_rate, TokenBucket& all) : own_(own_rate), all_(all) {}

    bool has(std::uint64_t count, TimeNs now) {
        return !all_.forced_empty() && own_.has(count, now) && all_.has(count, now);
    }
    bool take(std::uint64_t count, TimeNs now) {
        return has(count, now) && own_.take(count, now) && all_.take(count, now);
    }

private:
    TokenBucket own_;
    TokenBucket& all_;
};

}  // namespace umbra
