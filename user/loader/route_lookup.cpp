#include "loader/route_lookup.h"

#include <sys/socket.h>

#include <cstring>

namespace umbra::loader {

namespace {

RouteAnswer::Kind kind_of(const rtmsg& route, const NetlinkAttributes& attributes) {
    switch (route.rtm_type) {
        case RTN_LOCAL:
            return RouteAnswer::Kind::local;
        case RTN_UNICAST:
            return attributes.find(RTA_GATEWAY) || attributes.find(RTA_VIA) ? RouteAnswer::Kind::gateway
                                                                            : RouteAnswer::Kind::on_link;
        default:
            return RouteAnswer::Kind::unreachable;
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

}  // namespace umbra::loader
