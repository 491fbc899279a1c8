// The rules that the packet tables run against.
#pragma once

#include "loader/generation.h"

namespace umbra::test {

inline constexpr std::uint32_t kLoopback = 1;  // the device that BPF_PROG_TEST_RUN pretends
inline constexpr std::uint32_t kOtherDevice = 77;
inline constexpr std::uint32_t kBridge = 9;

// slot 0  mirrors all
// slot 1  mirrors, client must be in 10.1.0.0/16 or fd01::/16
// slot 2  does not mirror
// slot 3  mirrors requests under a condition
// slot 4  mirrors none (0 %)
// slot 5  mirrors half of the flows
loader::GenerationContent world();

}  // namespace umbra::test
