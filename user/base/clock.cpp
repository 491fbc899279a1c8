#include "base/clock.h"

#include <ctime>

namespace umbra {

TimeNs monotonic_now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<TimeNs>(now.tv_sec) * kSecond + static_cast<TimeNs>(now.tv_nsec);
}

}  // namespace umbra
