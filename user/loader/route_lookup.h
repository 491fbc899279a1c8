// Where the kernel would send a packet for an address: one answer of its routing table, as a value.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "loader/netlink.h"
#include "net/ip_address.h"

namespace umbra::loader {

struct RouteAnswer {
    enum class Kind { local, on_link, gateway, unreachable };
    Kind kind = Kind::unreachable;
    std::uint32_t ifindex = 0;  // of the outgoing device
    std::string cause;          // why it is unreachable
};

RouteAnswer lookup_route(NetlinkSocket& netlink, const IpAddress& address);

// The devices that lead to gateways, by ifindex: other hosts are behind them, whatever kind of device they are.
std::set<std::uint32_t> gateway_devices(NetlinkSocket& netlink);

}  // namespace umbra::loader
