// Breaker: leaves an endpoint alone after failed connection attempts in a row, for a pause that doubles, then lets
// one attempt through. Pure: the time comes with the calls.
#pragma once

#include <cstdint>

#include "replay/limits.h"

namespace umbra {

class Breaker {
public:
    // probe: the one attempt that an open breaker lets through. To be given back with what became of it.
    struct Permission {
        bool given = false;
        bool probe = false;
        explicit operator bool() const { return given; }
    };

    explicit Breaker(const ReplayLimits& limits) : limits_(limits) {}

    // Once given: succeeded(), failed() or cancelled() must follow.
    Permission allow(TimeNs now);
    void succeeded();
    void failed(TimeNs now, Permission permission);
    void cancelled(Permission permission);
    bool open() const { return failures_ >= limits_.breaker_failures; }

private:
    const ReplayLimits& limits_;
    std::uint32_t failures_ = 0;
    TimeNs pause_ = 0;
    TimeNs retry_at_ = 0;
    bool probing_ = false;
};

}  // namespace umbra
