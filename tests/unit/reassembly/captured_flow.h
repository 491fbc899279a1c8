// CapturedFlow: the packets of one connection's tuple out of a capture file, taken apart so that they can be changed,
// and written again as Ethernet frames with right lengths and checksums. Not a decoder: what the product's decoder
// refuses is left out.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "flow/decode.h"

namespace umbra::test {

// Raw numbers, as on the wire.
struct CapturedSegment {
    bool from_client = false;
    std::uint32_t seq = 0;
    std::uint32_t ack = 0;
    std::uint8_t flags = 0;
    std::uint16_t window = 0;
    std::uint16_t urgent_pointer = 0;
    std::string options;  // as they stood in the header
    std::string payload;
    TimeNs time = 0;

    bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
    std::uint32_t first_seq() const { return seq + (has(kSyn) ? 1 : 0); }
    bool operator==(const CapturedSegment&) const = default;
    std::uint32_t end_seq() const { return first_seq() + static_cast<std::uint32_t>(payload.size()); }
};

struct RawFrame {
    std::string bytes;
    std::uint32_t wire_len = 0;
    LinkType link = LinkType::ethernet;
    TimeNs time = 0;
};

struct CapturedFlow {
    std::string name;
    FlowTuple tuple;
    std::vector<CapturedSegment> segments;
    std::vector<RawFrame> frames;  // the same packets as the file has them, and those that were left out

    // Two copies of one of the client's positions differ; the byte of a keep-alive probe is no copy.
    bool contradicts() const;
    bool has_urgent_data() const;
    // The client's numbers pass 2^32 between its data.
    bool wraps() const;
};

// What lies around the IP packet.
struct Framing {
    std::string tags;         // VLAN tags
    std::size_t padding = 0;  // bytes behind the packet; what is shorter than Ethernet's minimum is padded anyway
};

// The flows of these tuples, in the order given. Fails the running test if the file cannot be read.
std::vector<CapturedFlow> read_flows(const std::filesystem::path& file, const std::vector<FlowTuple>& tuples);

std::string write_frame(const FlowTuple& tuple, const CapturedSegment& segment, const Framing& framing);

}  // namespace umbra::test
