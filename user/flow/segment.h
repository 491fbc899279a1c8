// Segment: one TCP packet, headers decoded, payload as a view that is valid during the call only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/clock.h"
#include "net/ip_address.h"

namespace umbra {

// Bits of byte 13 of the TCP header.
inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10, kUrg = 0x20;

struct TcpOptions {
    std::optional<std::uint32_t> tsval;
    std::uint32_t tsecr = 0;
    std::optional<std::uint8_t> window_scale;
    bool sack_permitted = false;
    bool mptcp = false;      // kind 30 present
    bool md5 = false;        // kind 19 present
    bool malformed = false;  // ended by a length that cannot be
};

struct SegmentHeader {
    std::uint32_t seq = 0;
    std::uint32_t ack = 0;
    std::uint8_t flags = 0;
    std::uint16_t window = 0;  // as on the wire
    std::uint16_t urgent_pointer = 0;
    TcpOptions options;
    TimeNs time = 0;
};

// Client to server, with payload.
struct Segment : SegmentHeader {
    FlowTuple tuple;
    Bytes payload;
};

// Server to client: headers, the payload's length and its first bytes.
struct ServerHeader : SegmentHeader {
    FlowTuple tuple;
    std::uint32_t payload_len = 0;
    Bytes prefix;
};

}  // namespace umbra
