// Breaker: leaves an endpoint alone after failed connection attempts in a row, for a pause that doubles, then lets
// one attempt through. Pure: the time comes with the calls.
#pragma once

#include <cstdint>

#include "replay/limits.h"

namespace umbra {

class Breaker {
public:
    explicit Breaker(const ReplayLimits& limits) : limits_(limits) {}

    // True takes the permission: succeeded(), failed() or cancelled() must follow.
    bool allow(TimeNs now);
    void succeeded();
    void failed(TimeNs now);
    void cancelled() { probing_ = false; }
    bool open() const { return failures_ >= limits_.breaker_failures; }

private:
    const ReplayLimits& limits_;
    std::uint32_t failures_ = 0;
    TimeNs pause_ = 0;
    TimeNs retry_at_ = 0;
    bool probing_ = false;
};

}  // namespace umbra
