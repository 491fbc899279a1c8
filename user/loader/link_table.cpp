#include "loader/link_table.h"

#include <linux/if_arp.h>

#include <algorithm>

#include "loader/os_error.h"

namespace umbra::loader {

bool LinkInfo::has_link_header() const {
    switch (type) {
        case ARPHRD_TUNNEL:
        case ARPHRD_TUNNEL6:
        case ARPHRD_SIT:
        case ARPHRD_IPGRE:
        case ARPHRD_IP6GRE:
        case ARPHRD_VOID:
        case ARPHRD_NONE:
        case ARPHRD_RAWIP:
        case ARPHRD_PPP:
            return false;
        default:
            return true;
    }
}

Result<std::vector<LinkInfo>> read_links(NetlinkSocket& netlink) {
    std::vector<LinkInfo> links;
    NetlinkMessage request(RTM_GETLINK, NLM_F_DUMP);
    request.header(ifinfomsg{});
    const int error = netlink.exchange(request, [&](const NetlinkReply& reply) {
        const auto header = reply.header<ifinfomsg>();
        if (reply.type != RTM_NEWLINK || !header) return;
        const auto attributes = reply.attributes<ifinfomsg>();
        LinkInfo link;
        link.ifindex = static_cast<std::uint32_t>(header->ifi_index);
        link.type = header->ifi_type;
        link.up = (header->ifi_flags & IFF_UP) != 0;
        link.loopback = (header->ifi_flags & IFF_LOOPBACK) != 0;
        link.name = attributes.text(IFLA_IFNAME);
        link.kind = attributes.nested(IFLA_LINKINFO).text(IFLA_INFO_KIND);
        link.master = attributes.u32(IFLA_MASTER).value_or(0);
        if (!attributes.find(IFLA_LINK_NETNSID)) link.lower = attributes.u32(IFLA_LINK).value_or(0);
        links.push_back(std::move(link));
    });
    if (error) return os_error("list, network devices", error);
    return links;
}

const LinkInfo* find_link(const std::vector<LinkInfo>& links, std::uint32_t ifindex) {
    const auto found = std::ranges::find(links, ifindex, &LinkInfo::ifindex);
    return found == links.end() ? nullptr : &*found;
}

const LinkInfo* find_link(const std::vector<LinkInfo>& links, const std::string& name) {
    const auto found = std::ranges::find(links, name, &LinkInfo::name);
    return found == links.end() ? nullptr : &*found;
}

}  // namespace umbra::loader
