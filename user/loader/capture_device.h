// CaptureDevice: the private device that clones are sent to and the workers read, one queue each. It has no address,
// no route, no IPv6 and no qdisc, and vanishes with the last descriptor of its queues.
//
// A full queue is exact: without a qdisc the transmit function's own result comes back from bpf_clone_redirect,
// NET_XMIT_DROP for "no room", and the program counts it under the rule. Frames that are read begin with a
// virtio_net_hdr (10 bytes); super-segments up to 64 KiB stay whole. The kernel cuts larger ones (BIG TCP) and those of
// a kind that a TUN device cannot take (IPv4 with a fixed identification); the result is then the last piece's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loader/netlink.h"

namespace umbra::loader {

enum class CaptureKind : std::uint8_t {
    ethernet,  // TAP: for clones of packets with a link header
    bare_ip,   // TUN: for clones of packets that begin with the IP header
};

struct CaptureOptions {
    CaptureKind kind = CaptureKind::ethernet;
    unsigned workers = 1;
    std::uint32_t queue_length = 8192;  // packets per queue
};

class CaptureDevice {
public:
    static Result<CaptureDevice> make(NetlinkSocket& netlink, const CaptureOptions& options);

    // The program chooses the queue of each packet.
    Result<void> steer_by(int program_fd);

    const std::string& name() const { return name_; }
    std::uint32_t ifindex() const { return ifindex_; }
    // Non-blocking; index = worker. They may be duplicated to another process.
    int queue_fd(unsigned worker) const { return queues_[worker].get(); }
    bool is_empty() const;  // all queues
    // Packets that found no room, the pieces of cut super-segments one by one.
    Result<std::uint64_t> dropped(NetlinkSocket& netlink) const;

private:
    CaptureDevice() = default;
    Result<void> open_queues(const CaptureOptions& options);
    Result<void> configure(NetlinkSocket& netlink, std::uint32_t queue_length);

    std::string name_;
    std::uint32_t ifindex_ = 0;
    std::vector<UniqueFd> queues_;
};

}  // namespace umbra::loader
