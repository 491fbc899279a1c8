// decode(): one captured packet -> one TCP packet or the reason why it is none. Headers are judged as the Linux
// receiver judges them; nothing is reassembled from IP fragments. Everything is a view into the captured packet.
// Which side is the client is not known here: see to_segment() and to_server_header().
#pragma once

#include <cstdint>

#include "capture/packet.h"
#include "flow/segment.h"

namespace umbra {

struct DecodeOptions {
    // Packets never left the machine (veth, lo, tap, egress): a checksum field that holds the pseudo-header sum only
    // is taken as one that was to be filled in later.
    bool virtual_device = false;
    bool verify_ip_checksum = true;
};

enum class DecodeStatus : std::uint8_t {
    ok,
    foreign,       // not TCP over IP
    fragment,      // TCP, but a part of a datagram only
    bad_header,    // the receiver drops it
    bad_checksum,  // of TCP or IPv4
    truncated,     // whole on the wire, cut by the capture
};

struct TcpPacket : SegmentHeader {
    Endpoint source;
    Endpoint destination;
    Bytes payload;
    std::uint32_t payload_len = 0;  // on the wire
};

struct DecodeResult {
    DecodeStatus status = DecodeStatus::foreign;
    bool partial_checksum = false;  // accepted though only the pseudo-header sum is there
    bool headers_only = false;      // truncated behind the TCP header: packet is valid but for its payload
    TcpPacket packet;               // valid with ok and bad_checksum, and with headers_only
};

DecodeResult decode(const CapturedPacket& captured, const DecodeOptions& options);

Segment to_segment(const TcpPacket& packet);
ServerHeader to_server_header(const TcpPacket& packet);

}  // namespace umbra
