#include "net/checksum.h"

#include <arpa/inet.h>

#include <cstring>

namespace umbra {

namespace {

constexpr std::uint16_t kProtocolTcp = 6;
constexpr std::size_t kMappedPrefix = 12;

template <class Word>
Word load(const std::byte* at) {
    Word word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

std::uint64_t address_sum(const IpAddress& address) {
    const Bytes bytes = std::as_bytes(std::span(address.bytes));
    return checksum_sum(address.is_v4() ? bytes.subspan(kMappedPrefix) : bytes);
}

}  // namespace

// Summing 32-bit words gives the same folded result: 2^16 is 1 modulo 0xffff.
std::uint64_t checksum_sum(Bytes bytes) {
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t sum = 0;
    for (; left >= 16; left -= 16, at += 16)
        sum += std::uint64_t{load<std::uint32_t>(at)} + load<std::uint32_t>(at + 4) + load<std::uint32_t>(at + 8) +
               load<std::uint32_t>(at + 12);
    for (; left >= 2; left -= 2, at += 2) sum += load<std::uint16_t>(at);
    if (left == 1) {
        const std::byte last[2] = {*at, std::byte{0}};
        sum += load<std::uint16_t>(last);
    }
    return sum;
}

std::uint16_t checksum_fold(std::uint64_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

std::uint64_t tcp_pseudo_sum(const IpAddress& source, const IpAddress& destination, std::uint32_t tcp_length) {
    return address_sum(source) + address_sum(destination) + htonl(tcp_length) + htons(kProtocolTcp);
}

}  // namespace umbra
