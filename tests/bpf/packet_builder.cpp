#include "bpf/packet_builder.h"

#include <algorithm>

namespace umbra::test {

namespace {

constexpr std::uint8_t kTcp = 6;

void put16(Frame& frame, unsigned value) {
    frame.push_back(static_cast<std::uint8_t>(value >> 8));
    frame.push_back(static_cast<std::uint8_t>(value));
}

void put32(Frame& frame, std::uint32_t value) {
    put16(frame, value >> 16);
    put16(frame, value & 0xffff);
}

template <class Range>
void append(Frame& frame, const Range& bytes) {
    frame.insert(frame.end(), bytes.begin(), bytes.end());
}

void put_ether(Frame& frame, const PacketSpec& spec, bool v4) {
    append(frame, Frame{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2});
    for (const VlanTag& tag : spec.tags) {
        put16(frame, tag.type);
        put16(frame, tag.tci);
    }
    put16(frame, spec.ether_type.value_or(v4 ? 0x0800 : 0x86dd));
}

void seal_checksum(Frame& frame, std::size_t start) {
    std::uint32_t sum = 0;
    for (std::size_t i = start; i + 1 < frame.size(); i += 2) sum += frame[i] * 256u + frame[i + 1];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffff;
    frame[start + 10] = static_cast<std::uint8_t>(sum >> 8);
    frame[start + 11] = static_cast<std::uint8_t>(sum);
}

void put_ipv4(Frame& frame, const PacketSpec& spec, std::size_t tcp_len) {
    const std::size_t start = frame.size();
    const std::size_t header = 20 + spec.ip_options.size();
    const std::uint8_t words = spec.ip_words.value_or(static_cast<std::uint8_t>(header / 4));
    frame.push_back(static_cast<std::uint8_t>(0x40 | words));
    frame.push_back(0);
    put16(frame, spec.ip_length.value_or(static_cast<std::uint16_t>(header + tcp_len)));
    put16(frame, 0x1234);
    put16(frame, spec.fragment);
    frame.push_back(64);
    frame.push_back(spec.protocol.value_or(kTcp));
    put16(frame, 0);
    for (const std::string& text : {spec.source, spec.target}) {
        const auto bytes = Endpoint::parse(text)->address.bytes;
        frame.insert(frame.end(), bytes.begin() + 12, bytes.end());
    }
    append(frame, spec.ip_options);
    seal_checksum(frame, start);
}

void put_ipv6(Frame& frame, const PacketSpec& spec, std::size_t tcp_len) {
    std::size_t payload = tcp_len;
    for (const Extension& extension : spec.extensions) payload += 1 + extension.rest.size();
    const std::uint8_t last = spec.protocol.value_or(kTcp);
    put32(frame, 0x60000000);
    put16(frame, spec.ip_length.value_or(static_cast<std::uint16_t>(payload)));
    frame.push_back(spec.extensions.empty() ? last : spec.extensions.front().kind);
    frame.push_back(64);
    append(frame, Endpoint::parse(spec.source)->address.bytes);
    append(frame, Endpoint::parse(spec.target)->address.bytes);
    for (std::size_t i = 0; i < spec.extensions.size(); ++i) {
        frame.push_back(i + 1 < spec.extensions.size() ? spec.extensions[i + 1].kind : last);
        append(frame, spec.extensions[i].rest);
    }
}

void put_tcp(Frame& frame, const PacketSpec& spec) {
    put16(frame, Endpoint::parse(spec.source)->port);
    put16(frame, Endpoint::parse(spec.target)->port);
    put32(frame, spec.seq);
    put32(frame, spec.ack);
    const std::uint8_t words = spec.tcp_words.value_or(static_cast<std::uint8_t>((20 + spec.tcp_options.size()) / 4));
    frame.push_back(static_cast<std::uint8_t>(words << 4));
    frame.push_back(spec.flags);
    put16(frame, spec.window);
    put32(frame, 0);
    append(frame, spec.tcp_options);
    append(frame, spec.payload);
}

}  // namespace

Extension Extension::options(std::uint8_t kind, std::uint8_t units) {
    Extension extension{kind, Frame(7 + 8u * units)};
    extension.rest[0] = units;
    extension.rest[1] = 1;  // PadN
    extension.rest[2] = static_cast<std::uint8_t>(4 + 8 * units);
    return extension;
}

Extension Extension::routing(std::uint8_t segments_left) { return {43, {0, 0, segments_left, 0, 0, 0, 0}}; }

Extension Extension::fragment(std::uint16_t offset_and_flags) {
    return {
        44,
        {0, static_cast<std::uint8_t>(offset_and_flags >> 8), static_cast<std::uint8_t>(offset_and_flags), 0, 0, 0, 7}};
}

Frame build(const PacketSpec& spec) {
    Frame frame;
    const bool v4 = Endpoint::parse(spec.target)->address.is_v4();
    const std::size_t tcp_len = 20 + spec.tcp_options.size() + spec.payload.size();
    if (spec.link_header) put_ether(frame, spec, v4);
    if (v4)
        put_ipv4(frame, spec, tcp_len);
    else
        put_ipv6(frame, spec, tcp_len);
    put_tcp(frame, spec);
    frame.resize(frame.size() + spec.padding, 0xee);
    if (spec.cut) frame.resize(std::min(frame.size(), *spec.cut));
    return frame;
}

}  // namespace umbra::test
