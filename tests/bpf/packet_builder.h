// Builds frames byte by byte, also wrong ones: every length and field can be overridden. Not a protocol stack.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/ip_address.h"

namespace umbra::test {

using Frame = std::vector<std::uint8_t>;

struct VlanTag {
    std::uint16_t type = 0x8100;
    std::uint16_t tci = 100;
};

// An IPv6 extension header: its kind, and all of its bytes but the first, which names the next header.
struct Extension {
    std::uint8_t kind = 0;
    std::vector<std::uint8_t> rest;

    static Extension options(std::uint8_t kind, std::uint8_t units = 0);
    static Extension routing(std::uint8_t segments_left);
    static Extension fragment(std::uint16_t offset_and_flags);
};

struct PacketSpec {
    std::string source = "10.0.0.1:40000";
    std::string target = "10.0.0.10:80";
    std::string payload;
    std::uint8_t flags = 0x18;  // PSH ACK
    std::uint32_t seq = 1000;
    std::uint32_t ack = 2000;
    std::uint16_t window = 512;
    std::vector<std::uint8_t> tcp_options;
    std::vector<std::uint8_t> ip_options;
    std::vector<VlanTag> tags;
    std::vector<Extension> extensions;
    bool link_header = true;
    std::uint16_t fragment = 0;  // IPv4: flags and offset
    std::size_t padding = 0;

    std::optional<std::uint16_t> ether_type;
    std::optional<std::uint8_t> protocol;
    std::optional<std::uint16_t> ip_length;  // IPv4 total length, IPv6 payload length
    std::optional<std::uint8_t> ip_words;    // IPv4 header length
    std::optional<std::uint8_t> tcp_words;   // data offset
    std::optional<std::size_t> cut;          // frame ends here
};

Frame build(const PacketSpec& spec);

}  // namespace umbra::test
