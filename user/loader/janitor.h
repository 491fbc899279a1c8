// The janitor: a small process that outlives its owner by a moment and removes the owner's clsact filters and qdiscs.
// It keeps no capability but CAP_NET_ADMIN and no descriptor but the pipe on which it waits.
#pragma once

#include <cstdint>

namespace umbra::loader {

// The body of the forked child. from_owner carries the ifindex of each qdisc that the owner created, and ends with it.
[[noreturn]] void run_janitor(int from_owner, std::uint32_t handle);

}  // namespace umbra::loader
