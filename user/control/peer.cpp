#include "control/peer.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <vector>

namespace umbra::control {

namespace {

constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, which older headers lack

// Supplementary groups as they were at connect time.
bool has_supplementary_group(int socket, gid_t wanted) {
    socklen_t size = 0;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, nullptr, &size) != 0 && errno != ERANGE) return false;
    std::vector<gid_t> groups(size / sizeof(gid_t));
    if (groups.empty() || ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return false;
    return std::ranges::find(groups, wanted) != groups.end();
}

}  // namespace

Result<Peer> identify_peer(int socket, std::optional<gid_t> readers) {
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return Error{ErrorCode::failure,
                     std::string("identify, client of the control socket: ") + std::strerror(errno)};
    }
    Peer peer{credentials.uid, false, false};
    peer.may_change = credentials.uid == 0 || credentials.uid == ::geteuid();
    peer.may_read =
        peer.may_change || (readers && (credentials.gid == *readers || has_supplementary_group(socket, *readers)));
    return peer;
}

PeerProcess process_of(int socket) {
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
    PeerProcess process{credentials.pid, UniqueFd()};
    int handle = -1;
    size = sizeof(handle);
    if (::getsockopt(socket, SOL_SOCKET, kPeerPidfd, &handle, &size) != 0)  // before Linux 6.5
        handle = static_cast<int>(::syscall(SYS_pidfd_open, credentials.pid, 0));
    process.handle.reset(handle);
    return process;
}

std::optional<gid_t> find_group(const std::string& name) {
    gid_t number = 0;
    const char* end = name.data() + name.size();
    if (const auto [stop, error] = std::from_chars(name.data(), end, number); error == std::errc{} && stop == end)
        return number;
    group found{};
    group* result = nullptr;
    std::vector<char> buffer(64 * 1024);
    if (::getgrnam_r(name.c_str(), &found, buffer.data(), buffer.size(), &result) != 0 || !result) return std::nullopt;
    return result->gr_gid;
}

}  // namespace umbra::control
