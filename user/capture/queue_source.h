// QueueSource: one queue of a capture device (TAP or TUN with a virtio-net header), read packet by packet.
// Owns the descriptor and the one buffer that a packet is read into: a view is valid until the next read.
#pragma once

#include <memory>

#include "base/unique_fd.h"
#include "capture/packet.h"

namespace umbra {

class QueueSource {
public:
    // The largest super-segment that BIG TCP can make, with its headers.
    static constexpr std::size_t kBufferBytes = 512 * 1024 + 4096;

    enum class Read : std::uint8_t { packet, empty, gone };

    QueueSource(UniqueFd queue, LinkType link);

    int fd() const { return queue_.get(); }
    // gone: the device was removed; there will be nothing more.
    Read read(CapturedPacket& packet, TimeNs now);

private:
    UniqueFd queue_;
    LinkType link_;
    std::unique_ptr<std::byte[]> buffer_;
};

}  // namespace umbra
