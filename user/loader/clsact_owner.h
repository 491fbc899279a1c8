// ClsactOwner: who answers for our clsact filters. Each owner has a random handle; a name in the abstract socket
// namespace says that the owner of a handle is alive, so that the filters of a killed predecessor can be told from
// those of another living agent. A janitor process waits for our death and then removes what we left, so that even
// SIGKILL leaves no filter and no qdisc behind.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loader/netlink.h"

namespace umbra::loader {

class ClsactOwner {
public:
    // Starts the janitor by fork: call it before there are threads.
    static Result<ClsactOwner> make();
    ClsactOwner(ClsactOwner&& other) noexcept
        : handle_(other.handle_),
          alive_(std::move(other.alive_)),
          to_janitor_(std::move(other.to_janitor_)),
          janitor_(std::exchange(other.janitor_, -1)),
          heritage_(std::move(other.heritage_)) {}
    ClsactOwner& operator=(ClsactOwner&&) = delete;
    ~ClsactOwner();  // the janitor ends; by then the filters should be removed

    std::uint32_t handle() const { return handle_; }
    // Tell the janitor which qdiscs are ours to remove.
    void created_qdisc(std::uint32_t ifindex);

    // Devices whose qdiscs another agent made and leaves to us, should we attach there.
    void set_heritage(std::set<std::uint32_t> ifindexes) { heritage_ = std::move(ifindexes); }
    bool inherits(std::uint32_t ifindex) const { return heritage_.contains(ifindex); }

private:
    ClsactOwner() = default;
    Result<void> claim_handle();
    Result<void> start_janitor();

    std::uint32_t handle_ = 0;
    UniqueFd alive_;  // bound to the owner's name
    UniqueFd to_janitor_;
    pid_t janitor_ = -1;
    std::set<std::uint32_t> heritage_;
};

// Removes the filters of ours whose owners are dead, on every device.
Result<void> clean_dead_owners(NetlinkSocket& netlink);

}  // namespace umbra::loader
