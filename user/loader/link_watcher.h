// LinkWatcher: says that devices, addresses or routes changed, so that attach points must be planned again. It says
// neither what changed nor does it act; poll fd(), then drain().
#pragma once

#include "base/result.h"
#include "loader/netlink.h"

namespace umbra::loader {

class LinkWatcher {
public:
    static Result<LinkWatcher> make();

    int fd() const { return socket_.fd(); }
    // Reads what is there. True if anything changed, or may have (messages were lost).
    bool drain();

private:
    explicit LinkWatcher(NetlinkSocket socket) : socket_(std::move(socket)) {}

    NetlinkSocket socket_;
};

}  // namespace umbra::loader
