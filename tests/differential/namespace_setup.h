// A network namespace for the calling thread, with a TUN device that is up and has the server's addresses.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace umbra::differential {

inline constexpr const char* kServerV4 = "10.255.0.1";  // on 10.0.0.0/8
inline constexpr const char* kServerV6 = "fd00::1";     // on fd00::/64

// The TUN device, non-blocking. The namespace lives as long as the thread.
Result<UniqueFd> enter_namespace();

}  // namespace umbra::differential
