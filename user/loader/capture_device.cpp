#include "loader/capture_device.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "loader/os_error.h"

namespace umbra::loader {

namespace {

constexpr char kNamePattern[] = "umbra%d";
// Below IPv6's minimum the kernel keeps IPv6 off the device: no address, no route, no packet of its own.
// It bounds nothing here, since clones are transmitted without a look at the MTU.
constexpr std::uint32_t kMtuWithoutIpv6 = 1279;
// TUN_F_USO4 and TUN_F_USO6 are not needed: only TCP is cloned.
constexpr unsigned kOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

Result<UniqueFd> open_queue(ifreq& request) {
    UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!fd) return os_error("open, '/dev/net/tun'", errno);
    if (::ioctl(fd.get(), TUNSETIFF, &request) != 0)
        return os_error("create, capture device '" + std::string(request.ifr_name) + "'", errno);
    return fd;
}

}  // namespace

Result<CaptureDevice> CaptureDevice::make(NetlinkSocket& netlink, const CaptureOptions& options) {
    CaptureDevice device;
    if (auto opened = device.open_queues(options); !opened) return opened.error();
    if (auto configured = device.configure(netlink, options.queue_length); !configured) return configured.error();
    return device;
}

Result<void> CaptureDevice::open_queues(const CaptureOptions& options) {
    const int link = options.kind == CaptureKind::ethernet ? IFF_TAP : IFF_TUN;
    ifreq request{};
    std::memcpy(request.ifr_name, kNamePattern, sizeof(kNamePattern));
    request.ifr_flags = static_cast<short>(link | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE);
    for (unsigned worker = 0; worker < options.workers; ++worker) {
        auto queue = open_queue(request);  // the first call replaces the pattern by the name
        if (!queue) return queue.error();
        if (::ioctl(queue->get(), TUNSETOFFLOAD, kOffloads) != 0)
            return os_error("set offloads, capture device '" + std::string(request.ifr_name) + "'", errno);
        queues_.push_back(std::move(*queue));
    }
    name_ = request.ifr_name;
    ifindex_ = ::if_nametoindex(request.ifr_name);
    return {};
}

Result<void> CaptureDevice::configure(NetlinkSocket& netlink, std::uint32_t queue_length) {
    ifinfomsg link{};
    link.ifi_index = static_cast<int>(ifindex_);
    NetlinkMessage sizes(RTM_NEWLINK, 0);
    sizes.header(link).u32(IFLA_MTU, kMtuWithoutIpv6).u32(IFLA_TXQLEN, queue_length);
    if (const int error = netlink.exchange(sizes)) return os_error("set sizes, capture device '" + name_ + "'", error);

    tcmsg qdisc{};
    qdisc.tcm_ifindex = static_cast<int>(ifindex_);
    qdisc.tcm_parent = TC_H_ROOT;
    NetlinkMessage noqueue(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
    noqueue.header(qdisc).text(TCA_KIND, "noqueue");
    if (const int error = netlink.exchange(noqueue))
        return os_error("set qdisc noqueue, capture device '" + name_ + "'", error);

    link.ifi_flags = IFF_UP;
    link.ifi_change = IFF_UP;
    NetlinkMessage up(RTM_NEWLINK, 0);
    up.header(link);
    if (const int error = netlink.exchange(up)) return os_error("set up, capture device '" + name_ + "'", error);
    return {};
}

bool CaptureDevice::is_empty() const {
    std::vector<pollfd> queues;
    for (const UniqueFd& queue : queues_) queues.push_back({queue.get(), POLLIN, 0});
    return ::poll(queues.data(), queues.size(), 0) == 0;
}

Result<std::uint64_t> CaptureDevice::dropped(NetlinkSocket& netlink) const {
    ifinfomsg link{};
    link.ifi_index = static_cast<int>(ifindex_);
    NetlinkMessage request(RTM_GETLINK, 0);
    request.header(link);
    rtnl_link_stats64 stats{};
    const int error = netlink.exchange(request, [&](const NetlinkReply& reply) {
        if (reply.type != RTM_NEWLINK) return;
        const auto found = reply.attributes<ifinfomsg>().find(IFLA_STATS64);
        if (found) std::memcpy(&stats, found->data(), std::min(found->size(), sizeof(stats)));
    });
    if (error) return os_error("read statistics, capture device '" + name_ + "'", error);
    return stats.tx_dropped;
}

Result<void> CaptureDevice::steer_by(int program_fd) {
    if (::ioctl(queues_.front().get(), TUNSETSTEERINGEBPF, &program_fd) != 0)
        return os_error("set steering program, capture device '" + name_ + "'", errno);
    return {};
}

}  // namespace umbra::loader
