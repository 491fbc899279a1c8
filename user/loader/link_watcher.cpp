#include "loader/link_watcher.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace umbra::loader {

// Neighbours are not followed: where an endpoint's packets pass is decided by devices and routes alone.
Result<LinkWatcher> LinkWatcher::make() {
    auto socket = NetlinkSocket::open(
        {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE});
    if (!socket) return socket.error();
    return LinkWatcher(std::move(*socket));
}

bool LinkWatcher::drain() {
    std::array<std::byte, 16'384> buffer;
    bool changed = false;
    while (true) {
        const ssize_t got = ::recv(socket_.fd(), buffer.data(), buffer.size(), 0);
        if (got > 0 || (got < 0 && errno == ENOBUFS))
            changed = true;
        else if (got == 0 || errno != EINTR)
            return changed;
    }
}

}  // namespace umbra::loader
