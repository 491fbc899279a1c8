// Where the kernel would send a packet for an address: one answer of its routing table, as a value.
#pragma once

#include <cstdint>
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

}  // namespace umbra::loader
