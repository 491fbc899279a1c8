// Decodes IPv4 and IPv6 headers down to TCP, by the Linux receiver's length rules: the IP header's length counts,
// never the frame's.
#pragma once

#include "flow/decode.h"
#include "flow/link_header.h"

namespace umbra {

struct IpPayload {
    DecodeStatus status = DecodeStatus::foreign;
    IpAddress source;
    IpAddress destination;
    Bytes tcp;
    bool wrong_checksum = false;  // of the IPv4 header
    std::size_t missing = 0;      // bytes of `tcp` that the capture cut off
};

// missing: bytes of the packet that the capture cut off.
IpPayload decode_ip(const NetworkPacket& packet, std::size_t missing, bool verify_checksum);

}  // namespace umbra
