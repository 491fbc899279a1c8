// The Internet checksum (RFC 1071) over byte views, in the byte order of the packet.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "net/ip_address.h"

namespace umbra {

// Sum of 16-bit words, not folded. Sums may be added as long as every part but the last has even length.
std::uint64_t checksum_sum(Bytes bytes);
// The folded sum. Of a header or segment that contains a right checksum it is 0xffff.
std::uint16_t checksum_fold(std::uint64_t sum);
// Sum of the TCP pseudo header.
std::uint64_t tcp_pseudo_sum(const IpAddress& source, const IpAddress& destination, std::uint32_t tcp_length);

}  // namespace umbra
