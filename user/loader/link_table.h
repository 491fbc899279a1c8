// The network devices of this namespace, read once: a value. Following their changes is link_watcher's work.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "loader/netlink.h"

namespace umbra::loader {

struct LinkInfo {
    std::uint32_t ifindex = 0;
    std::string name;
    std::string kind;        // "veth", "bridge", "vlan", …; empty for hardware and lo
    std::uint16_t type = 0;  // ARPHRD_*
    bool up = false;
    bool loopback = false;
    std::uint32_t master = 0;  // ifindex of the bridge or bond that it is a port of
    std::uint32_t lower = 0;   // ifindex of the device in this namespace that it is stacked on

    // Packets begin with an Ethernet header; else with the IP header.
    bool has_link_header() const;
};

Result<std::vector<LinkInfo>> read_links(NetlinkSocket& netlink);
const LinkInfo* find_link(const std::vector<LinkInfo>& links, std::uint32_t ifindex);
const LinkInfo* find_link(const std::vector<LinkInfo>& links, const std::string& name);

}  // namespace umbra::loader
