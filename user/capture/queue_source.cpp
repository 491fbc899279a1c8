#include "capture/queue_source.h"

#include <cerrno>
#include <cstring>

namespace umbra {

namespace {

// struct virtio_net_hdr of <linux/virtio_net.h>, which C++ cannot include (it has a field named "class").
struct VirtioHeader {
    static constexpr std::uint8_t kNeedsChecksum = 1, kDataValid = 2, kNoGso = 0;
    std::uint8_t flags;
    std::uint8_t gso_type;
    std::uint16_t header_len, gso_size, checksum_start, checksum_offset;
};
static_assert(sizeof(VirtioHeader) == 10);

// What the kernel knows of the checksum travels in the virtio-net header. A super-segment was checked by GRO or was
// never on a wire.
ChecksumState checksum_state(const VirtioHeader& header) {
    if ((header.flags & VirtioHeader::kNeedsChecksum) != 0) return ChecksumState::partial;
    if ((header.flags & VirtioHeader::kDataValid) != 0) return ChecksumState::trusted;
    return header.gso_type == VirtioHeader::kNoGso ? ChecksumState::verify : ChecksumState::trusted;
}

}  // namespace

// Not value-initialised: pages that no packet reaches are never touched.
QueueSource::QueueSource(UniqueFd queue, LinkType link)
    : queue_(std::move(queue)), link_(link), buffer_(new std::byte[kBufferBytes]) {}

QueueSource::Read QueueSource::read(CapturedPacket& packet, TimeNs now) {
    ssize_t got;
    do {
        got = ::read(queue_.get(), buffer_.get(), kBufferBytes);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return errno == EAGAIN ? Read::empty : Read::gone;
    VirtioHeader header{};
    if (static_cast<std::size_t>(got) < sizeof header) return Read::gone;
    std::memcpy(&header, buffer_.get(), sizeof header);
    packet.data = Bytes(buffer_.get() + sizeof header, static_cast<std::size_t>(got) - sizeof header);
    packet.wire_len = static_cast<std::uint32_t>(packet.data.size());
    packet.link = link_;
    packet.checksum = checksum_state(header);
    packet.time = now;
    return Read::packet;
}

}  // namespace umbra
