// What the agent's two processes may do. The loader keeps CAP_BPF and CAP_NET_ADMIN in effect, and at hand, not in
// effect, what it takes to start the terminator as another user. The terminator keeps nothing.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace umbra::agent {

// Of the calling process, before it gives up the right to: CAP_SYS_ADMIN.
Result<void> enter_network(const std::string& netns);

// Of the calling process, for good. Fails when CAP_BPF or CAP_NET_ADMIN is missing.
Result<void> become_loader();

// The user that the terminator runs as: `umbra` if there is one, else 65534.
struct Identity {
    uid_t uid = 65534;
    gid_t gid = 65534;
};
Identity terminator_identity();

// As many descriptors as the limits allow: connections to mirrors are descriptors.
void raise_file_limit();

// Of the calling process, for good. Not root, or without the right to change users, it stays the user that it is.
Result<void> become_unprivileged(const Identity& identity);

}  // namespace umbra::agent
