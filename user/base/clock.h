// Time as the stages see it: nanoseconds of CLOCK_MONOTONIC, handed in with every call. No stage reads a clock.
#pragma once

#include <cstdint>

namespace umbra {

using TimeNs = std::uint64_t;

inline constexpr TimeNs kMicrosecond = 1'000;
inline constexpr TimeNs kMillisecond = 1'000'000;
inline constexpr TimeNs kSecond = 1'000'000'000;

TimeNs monotonic_now();

}  // namespace umbra
