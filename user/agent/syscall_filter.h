// The terminator's seccomp filter: the system calls that parsing, replaying and counting take. What is not on the list
// fails with EPERM; what only an intruder would try (another program, another namespace, other processes' memory,
// kernel modules) kills the process, which the loader notices and counts.
#pragma once

#include "base/result.h"

namespace umbra::agent {

// Of the calling process and its future threads, for good. no_new_privs must be set.
Result<void> filter_syscalls();

}  // namespace umbra::agent
