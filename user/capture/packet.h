// CapturedPacket: one packet as a source delivers it. A view, valid during the call only.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"

namespace umbra {

enum class LinkType : std::uint8_t { ethernet, raw_ip, linux_sll, linux_sll2, bsd_loopback };

// What the carrier says of the TCP checksum.
enum class ChecksumState : std::uint8_t {
    verify,   // unknown: compute it
    partial,  // CHECKSUM_PARTIAL: the field holds the pseudo-header sum, the data was never on a wire
    trusted,  // verified by hardware or GRO
};

struct CapturedPacket {
    Bytes data;                  // from the link header on
    std::uint32_t wire_len = 0;  // length on the wire; data may be shorter (snap length)
    LinkType link = LinkType::ethernet;
    ChecksumState checksum = ChecksumState::verify;
    TimeNs time = 0;
};

class PacketSink {
public:
    virtual ~PacketSink() = default;
    virtual void on_packet(const CapturedPacket& packet) = 0;
};

}  // namespace umbra
