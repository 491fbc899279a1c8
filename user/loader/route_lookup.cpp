#include "loader/route_lookup.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace umbra::loader {

namespace {

bool has_gateway(const NetlinkAttributes& attributes) {
    return attributes.find(RTA_GATEWAY) || attributes.find(RTA_VIA);
}

RouteAnswer::Kind kind_of(const rtmsg& route, const NetlinkAttributes& attributes) {
    switch (route.rtm_type) {
        case RTN_LOCAL:
            return RouteAnswer::Kind::local;
        case RTN_UNICAST:
            return has_gateway(attributes) ? RouteAnswer::Kind::gateway : RouteAnswer::Kind::on_link;
        default:
            return RouteAnswer::Kind::unreachable;
    }
}

// A route with several next hops lists them in one attribute.
void add_next_hops(std::span<const std::byte> hops, std::set<std::uint32_t>& devices) {
    rtnexthop hop{};
    while (hops.size() >= sizeof(hop)) {
        std::memcpy(&hop, hops.data(), sizeof(hop));
        if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > hops.size()) return;
        const NetlinkAttributes attributes(hops.subspan(sizeof(hop), hop.rtnh_len - sizeof(hop)));
        if (has_gateway(attributes)) devices.insert(static_cast<std::uint32_t>(hop.rtnh_ifindex));
        hops = hops.subspan(std::min<std::size_t>(hops.size(), RTNH_ALIGN(hop.rtnh_len)));
    }
}

}  // namespace

RouteAnswer lookup_route(NetlinkSocket& netlink, const IpAddress& address) {
    constexpr std::size_t kMappedPrefix = 12;
    const std::size_t skip = address.is_v4() ? kMappedPrefix : 0;
    rtmsg header{};
    header.rtm_family = address.is_v4() ? AF_INET : AF_INET6;
    header.rtm_dst_len = static_cast<std::uint8_t>((address.bytes.size() - skip) * 8);
    NetlinkMessage request(RTM_GETROUTE, 0);
    request.header(header).bytes(RTA_DST, address.bytes.data() + skip, address.bytes.size() - skip);

    RouteAnswer answer;
    answer.cause = "no unicast route";
    const int error = netlink.exchange(request, [&](const NetlinkReply& reply) {
        const auto route = reply.header<rtmsg>();
        if (reply.type != RTM_NEWROUTE || !route) return;
        const auto attributes = reply.attributes<rtmsg>();
        answer.kind = kind_of(*route, attributes);
        answer.ifindex = attributes.u32(RTA_OIF).value_or(0);
    });
    if (error) answer = {RouteAnswer::Kind::unreachable, 0, std::strerror(error)};
    return answer;
}

std::set<std::uint32_t> gateway_devices(NetlinkSocket& netlink) {
    std::set<std::uint32_t> devices;
    NetlinkMessage request(RTM_GETROUTE, NLM_F_DUMP);
    request.header(rtmsg{});
    netlink.exchange(request, [&](const NetlinkReply& reply) {
        const auto route = reply.header<rtmsg>();
        if (reply.type != RTM_NEWROUTE || !route || route->rtm_type != RTN_UNICAST) return;
        const auto attributes = reply.attributes<rtmsg>();
        if (has_gateway(attributes)) devices.insert(attributes.u32(RTA_OIF).value_or(0));
        if (const auto hops = attributes.find(RTA_MULTIPATH)) add_next_hops(*hops, devices);
    });
    return devices;
}

}  // namespace umbra::loader
