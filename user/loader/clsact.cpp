#include "loader/clsact.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>

#include <cerrno>

#include "loader/os_error.h"

namespace umbra::loader {

namespace {

// Early, so that other filters' verdicts do not hide packets, but not the 1 that everybody takes: whoever comes first
// at a priority decides the protocol of all filters there.
constexpr std::uint16_t kFirstPriority = 7;
constexpr std::uint16_t kLastPriority = 22;

tcmsg address_of(std::uint32_t ifindex, Direction direction) {
    tcmsg message{};
    message.tcm_family = AF_UNSPEC;
    message.tcm_ifindex = static_cast<int>(ifindex);
    message.tcm_parent = TC_H_MAKE(TC_H_CLSACT, direction == Direction::ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
    return message;
}

std::uint32_t filter_info(std::uint16_t priority) {
    return TC_H_MAKE(static_cast<std::uint32_t>(priority) << 16, htons(ETH_P_ALL));
}

tcmsg qdisc_of(std::uint32_t ifindex) {
    tcmsg message{};
    message.tcm_ifindex = static_cast<int>(ifindex);
    message.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
    message.tcm_parent = TC_H_CLSACT;
    return message;
}

std::string on_device(std::uint32_t ifindex) { return "device " + std::to_string(ifindex); }

}  // namespace

Result<std::vector<ClsactFilter>> list_filters(NetlinkSocket& netlink, std::uint32_t ifindex, Direction direction) {
    std::vector<ClsactFilter> filters;
    NetlinkMessage request(RTM_GETTFILTER, NLM_F_DUMP);
    request.header(address_of(ifindex, direction));
    const int error = netlink.exchange(request, [&](const NetlinkReply& reply) {
        const auto header = reply.header<tcmsg>();
        if (reply.type != RTM_NEWTFILTER || !header || header->tcm_handle == 0) return;
        const auto attributes = reply.attributes<tcmsg>();
        ClsactFilter filter;
        filter.priority = static_cast<std::uint16_t>(header->tcm_info >> 16);
        filter.handle = header->tcm_handle;
        if (attributes.text(TCA_KIND) == "bpf") {
            const auto options = attributes.nested(TCA_OPTIONS);
            filter.name = options.text(TCA_BPF_NAME);
            filter.program_id = options.u32(TCA_BPF_ID).value_or(0);
        }
        filters.push_back(std::move(filter));
    });
    if (error) return os_error("list filters, " + on_device(ifindex), error);
    return filters;
}

Result<void> add_filter(NetlinkSocket& netlink, const NewFilter& filter) {
    int error = 0;
    for (std::uint16_t priority = kFirstPriority; priority <= kLastPriority; ++priority) {
        tcmsg header = address_of(filter.ifindex, filter.direction);
        header.tcm_handle = filter.handle;
        header.tcm_info = filter_info(priority);
        NetlinkMessage request(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
        request.header(header).text(TCA_KIND, "bpf").nest(TCA_OPTIONS, [&](NetlinkMessage& options) {
            options.u32(TCA_BPF_FD, static_cast<std::uint32_t>(filter.program_fd))
                .text(TCA_BPF_NAME, filter.name)
                .u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
        });
        error = netlink.exchange(request);
        if (error == 0) return {};
        if (error != EEXIST && error != EINVAL && error != ENOENT) break;  // these three: the priority is another's
    }
    return os_error("add filter '" + filter.name + "', " + on_device(filter.ifindex), error);
}

int remove_filter(NetlinkSocket& netlink, std::uint32_t ifindex, Direction direction, const ClsactFilter& filter) {
    tcmsg header = address_of(ifindex, direction);
    header.tcm_handle = filter.handle;
    header.tcm_info = filter_info(filter.priority);
    NetlinkMessage request(RTM_DELTFILTER, 0);
    request.header(header).text(TCA_KIND, "bpf");
    return netlink.exchange(request);
}

Result<bool> ensure_clsact(NetlinkSocket& netlink, std::uint32_t ifindex) {
    NetlinkMessage request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
    request.header(qdisc_of(ifindex)).text(TCA_KIND, "clsact");
    const int error = netlink.exchange(request);
    if (error == EEXIST) return false;
    if (error) return os_error("create clsact, " + on_device(ifindex), error);
    return true;
}

void remove_clsact_if_empty(NetlinkSocket& netlink, std::uint32_t ifindex) {
    for (const Direction direction : kDirections) {
        const auto filters = list_filters(netlink, ifindex, direction);
        if (!filters || !filters->empty()) return;
    }
    NetlinkMessage request(RTM_DELQDISC, 0);
    request.header(qdisc_of(ifindex)).text(TCA_KIND, "clsact");
    netlink.exchange(request);  // the device may be gone, and the qdisc with it
}

void remove_own_filters(NetlinkSocket& netlink, std::uint32_t ifindex, std::uint32_t handle) {
    for (const Direction direction : kDirections) {
        const auto filters = list_filters(netlink, ifindex, direction);
        if (!filters) continue;
        for (const ClsactFilter& filter : *filters) {
            if (filter.is_umbra() && filter.handle == handle) remove_filter(netlink, ifindex, direction, filter);
        }
    }
}

}  // namespace umbra::loader
