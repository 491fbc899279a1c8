// Writes packets byte by byte for the tests of decoding.
#pragma once

#include <string>

#include "flow/decode.h"
#include "net/checksum.h"

namespace umbra::test {

inline std::string be16(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }
inline std::string be32(std::uint32_t value) { return be16(value >> 16) + be16(value & 0xffff); }
inline std::string zeros(std::size_t count) { return std::string(count, '\0'); }

// Stores the checksum that makes the sum over bytes plus `extra` right.
inline void fix_checksum(std::string& bytes, std::size_t at, std::uint64_t extra) {
    bytes[at] = bytes[at + 1] = 0;
    const std::uint16_t sum = static_cast<std::uint16_t>(~checksum_fold(checksum_sum(as_bytes(bytes)) + extra));
    bytes[at] = static_cast<char>(sum & 0xff);
    bytes[at + 1] = static_cast<char>(sum >> 8);
}

// Sets the total length of a packet with a plain IPv4 header.
inline std::string with_total_length(std::string packet, unsigned length) {
    std::string header = packet.substr(0, 20);
    header.replace(2, 2, be16(length));
    fix_checksum(header, 10, 0);
    return packet.replace(0, 20, header);
}

struct PacketText {
    std::string tcp_options = {};
    std::string payload = "hello";
    unsigned doff = 0;  // words; 0: right
    unsigned flags = kAck | kPsh;
    std::string ip_options = {};
    unsigned ip_length = 0;  // 0: right
    unsigned fragment = 0;
    std::string extensions = {};  // IPv6, from the first one on
    unsigned next_header = 6;     // IPv6, of the fixed header
    std::uint64_t checksum_error = 0;

    std::string tcp() const {
        const unsigned words = doff ? doff : 5 + static_cast<unsigned>(tcp_options.size()) / 4;
        return be16(40000) + be16(80) + be32(0x01020304) + be32(0x05060708) + static_cast<char>(words << 4) +
               static_cast<char>(flags) + be16(1234) + zeros(2) + be16(9) + tcp_options + payload;
    }
    std::string ipv4() const {
        std::string segment = tcp();
        fix_checksum(segment, 16,
                     tcp_pseudo_sum(*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2"),
                                    static_cast<std::uint32_t>(segment.size())) +
                         checksum_error);
        const std::size_t header = 20 + ip_options.size(), right = header + segment.size();
        std::string ip = std::string(1, static_cast<char>(0x40 | header / 4)) + zeros(1) +
                         be16(ip_length ? ip_length : static_cast<unsigned>(right)) + zeros(2) + be16(fragment) +
                         "\x40\x06" + zeros(2) + std::string("\x0a\0\0\x01\x0a\0\0\x02", 8) + ip_options;
        fix_checksum(ip, 10, 0);
        return ip + segment;
    }
    std::string ipv6() const {
        std::string segment = tcp();
        const auto source = *IpAddress::parse("fd00::1"), destination = *IpAddress::parse("fd00::2");
        fix_checksum(segment, 16,
                     tcp_pseudo_sum(source, destination, static_cast<std::uint32_t>(segment.size())) + checksum_error);
        const std::size_t length = extensions.size() + segment.size();
        return std::string("\x60\0\0\0", 4) + be16(ip_length ? ip_length : static_cast<unsigned>(length & 0xffff)) +
               static_cast<char>(next_header) + "\x40" +
               std::string(reinterpret_cast<const char*>(source.bytes.data()), 16) +
               std::string(reinterpret_cast<const char*>(destination.bytes.data()), 16) + extensions + segment;
    }
};

inline std::string ethernet(const std::string& ip, unsigned type = 0x0800, const std::string& tags = {}) {
    return zeros(12) + tags + be16(type) + ip;
}

inline DecodeResult decode_text(const std::string& bytes, LinkType link = LinkType::raw_ip,
                                const DecodeOptions& options = {}, ChecksumState checksum = ChecksumState::verify,
                                std::size_t wire_len = 0) {
    const auto length = static_cast<std::uint32_t>(wire_len ? wire_len : bytes.size());
    return decode({as_bytes(bytes), length, link, checksum, 42}, options);
}

}  // namespace umbra::test
