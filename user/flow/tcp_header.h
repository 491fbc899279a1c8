// Decodes a TCP header and its options as Linux does: a bad option ends the options, never the segment.
#pragma once

#include <optional>

#include "flow/segment.h"

namespace umbra {

struct TcpHeader : SegmentHeader {
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    Bytes payload;
};

// None: shorter than its own header.
std::optional<TcpHeader> decode_tcp(Bytes tcp);
TcpOptions decode_tcp_options(Bytes options);

}  // namespace umbra
