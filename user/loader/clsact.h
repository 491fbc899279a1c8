// The clsact qdisc and its filters, where the kernel has no tcx. Functions on the kernel's state, no state here.
// They never touch what is not Umbra's: a filter is ours if it is a bpf filter with our name and our handle.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "loader/netlink.h"

namespace umbra::loader {

enum class Direction : std::uint8_t { ingress, egress };
inline constexpr Direction kDirections[] = {Direction::ingress, Direction::egress};

// Ends the names of filters whose owner created the qdisc as well: so that a later agent, which cleans up after one
// that was killed with its janitor, knows whether the qdisc was there before.
inline constexpr const char* kQdiscMark = "+qdisc";

struct ClsactFilter {
    std::uint16_t priority = 0;
    std::uint32_t handle = 0;
    std::string name;
    std::uint32_t program_id = 0;

    bool is_umbra() const { return name.starts_with("umbra_"); }
    bool owner_made_qdisc() const { return name.ends_with(kQdiscMark); }
};

Result<std::vector<ClsactFilter>> list_filters(NetlinkSocket& netlink, std::uint32_t ifindex, Direction direction);

struct NewFilter {
    std::uint32_t ifindex = 0;
    Direction direction = Direction::ingress;
    std::uint32_t handle = 0;
    int program_fd = -1;
    std::string name;
};
// Takes the first free of a few priorities that others do not use; the caller finds it by list_filters.
Result<void> add_filter(NetlinkSocket& netlink, const NewFilter& filter);
int remove_filter(NetlinkSocket& netlink, std::uint32_t ifindex, Direction direction, const ClsactFilter& filter);

// True if it was created, false if it existed.
Result<bool> ensure_clsact(NetlinkSocket& netlink, std::uint32_t ifindex);
// Removes the qdisc unless somebody's filter is on it.
void remove_clsact_if_empty(NetlinkSocket& netlink, std::uint32_t ifindex);
// Removes every filter of ours with this handle from the device.
void remove_own_filters(NetlinkSocket& netlink, std::uint32_t ifindex, std::uint32_t handle);

}  // namespace umbra::loader
