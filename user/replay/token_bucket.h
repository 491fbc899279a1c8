// TokenBucket: bytes per second, with one second of burst at most. Pure: the time comes with the calls.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace umbra {

class TokenBucket {
public:
    // 0: everything passes.
    explicit TokenBucket(std::uint64_t per_second) : rate_(per_second), tokens_(per_second) {}

    bool has(std::uint64_t count, TimeNs now);
    // All or nothing.
    bool take(std::uint64_t count, TimeNs now);

private:
    void fill(TimeNs now);

    const std::uint64_t rate_;
    std::uint64_t tokens_;
    TimeNs filled_at_ = 0;
};

}  // namespace umbra
