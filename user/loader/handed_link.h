// What one agent hands another that takes over from it.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "loader/clsact.h"

namespace umbra::loader {

// A tcx link. Whoever holds a descriptor keeps it; the last one to let go detaches it.
struct HandedLink {
    std::uint32_t ifindex = 0;
    Direction direction = Direction::ingress;
    UniqueFd fd;
};

struct TakeReport {
    std::size_t hooks = 0;  // in use from now on
    TimeNs begin = 0;       // before the first, after the last of them
    TimeNs end = 0;
};

}  // namespace umbra::loader
