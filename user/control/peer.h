// Peer: who is at the other end of a connection, by the kernel's word at connect time. Never by pid.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace umbra::control {

struct Peer {
    uid_t uid = 0;
    bool may_read = false;
    bool may_change = false;
};

// Root and the agent's own user may do everything, members of the reader group may read.
Result<Peer> identify_peer(int socket, std::optional<gid_t> readers);

// The process that made the connection, for the log and to end it; no handle if it is gone or unknown. Who somebody is
// is never decided by it.
struct PeerProcess {
    pid_t pid = 0;
    UniqueFd handle;  // a pidfd
};
PeerProcess process_of(int socket);

// name: of a group, or its number.
std::optional<gid_t> find_group(const std::string& name);

}  // namespace umbra::control
