// Where each origin endpoint's packets pass this host, and so which devices need our programs. Pure: devices and
// routes come in as values. The same packet must meet exactly one hook that is its own; these rules see to that:
//
//   address of this host         LOCAL   every device that receives packets for it: all that are up, lo included, but
//                                        ports (their bridge or bond sees the packet) and devices stacked on an
//                                        attached one without an envelope (VLAN, macvlan: the lower one sees it)
//   on-link behind veth, netkit  BEHIND  that device, unless it leads to a gateway: then the other end is a network, as
//   or tun                       that of a node that is itself a container, and the address another host's
//   on-link behind a bridge      BEHIND_PORT  the bridge's virtual ports, so that traffic between two ports is seen
//   anything else                remote: another host's agent mirrors it
//
// With named devices (--iface) those are used instead: BEHIND the outgoing device if it is named,
// BEHIND_PORT if ports of the outgoing bridge are, else LOCAL.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "loader/link_table.h"
#include "loader/route_lookup.h"
#include "net/ip_address.h"

namespace umbra::loader {

// umbra_match's owner and side.
struct Placement {
    std::uint8_t side = 0;
    std::uint32_t owner = 0;
    bool operator==(const Placement&) const = default;
};

struct DeviceTarget {
    std::uint32_t ifindex = 0;
    std::string name;
    bool has_link_header = true;
    std::uint32_t bridge = 0;  // ifindex of the bridge whose port it is used as
    std::string why;           // "local addresses", "behind this device", "port of 'br0'", "named"
    bool operator==(const DeviceTarget&) const = default;
};

struct RemoteEndpoint {
    Endpoint endpoint;
    std::string why;
    bool operator==(const RemoteEndpoint&) const = default;
};

struct AttachPlan {
    std::map<std::uint32_t, DeviceTarget> devices;  // by ifindex
    std::map<Endpoint, Placement> placements;
    std::vector<RemoteEndpoint> remote;
};

using RouteLookup = std::function<RouteAnswer(const IpAddress&)>;

struct AttachInput {
    std::vector<LinkInfo> links;
    std::vector<std::uint32_t> excluded;  // ifindexes of our capture devices
    std::vector<std::string> named;       // --iface
    std::set<std::uint32_t> to_gateways;  // ifindexes of devices that routes use with a gateway
    RouteLookup route;
};

Result<AttachPlan> plan_attachments(const AttachInput& input, const std::vector<Endpoint>& endpoints);

}  // namespace umbra::loader
