#include "differential/packet_writer.h"

#include "net/checksum.h"

namespace umbra::differential {

namespace {

std::string be16(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }
std::string be32(std::uint32_t value) { return be16(value >> 16) + be16(value & 0xffff); }
std::string zeros(std::size_t count) { return std::string(count, '\0'); }
std::string one(unsigned value) { return std::string(1, static_cast<char>(value)); }

void put_checksum(std::string& bytes, std::size_t at, std::uint64_t extra, bool wrong) {
    auto sum = static_cast<std::uint16_t>(~checksum_fold(checksum_sum(as_bytes(bytes)) + extra));
    if (wrong) sum = static_cast<std::uint16_t>(sum ^ 0x1234);
    bytes[at] = static_cast<char>(sum & 0xff);
    bytes[at + 1] = static_cast<char>(sum >> 8);
}

std::string bad_option(int kind) {
    switch (kind) {
        case kZeroLength:
            return std::string("\x05\x00\x01\x01", 4);
        case kPastEnd:
            return std::string("\x01\x01\x05\x28", 4);
        case kUnknownKind:
            return std::string("\xfd\x04\xab\xcd", 4);
        case kMd5Option:
            return std::string("\x01\x01\x13\x12", 4) + zeros(16);
        case kOnlyEnd:
            return zeros(4);
        default:
            return {};
    }
}

std::string tcp_options(const Step& step, const Heard& heard) {
    std::string options;
    if (step.option == kZeroLength) options += bad_option(step.option);
    if (step.mss != kAbsent) options += "\x02\x04" + be16(static_cast<unsigned>(step.mss));
    if (step.sack) options += std::string("\x01\x01\x04\x02", 4);
    if (step.scale != kAbsent) options += "\x01\x03\x03" + one(static_cast<unsigned>(step.scale));
    if (step.tsval != kAbsent) {
        const std::uint32_t foreign = heard.tsval + 0x01000000;
        const std::uint32_t tsecr = step.tsecr == kLiveTsecr ? heard.tsval : step.tsecr == kZeroTsecr ? 0 : foreign;
        const bool syn_only = (step.flags & 0x12) == 0x02;
        options += "\x01\x01\x08\x0a" + be32(kClientClock + static_cast<std::uint32_t>(step.tsval)) +
                   be32(syn_only ? 0 : tsecr);
    }
    if (step.option != kZeroLength) options += bad_option(step.option);
    return options;
}

std::string payload_of(const Step& step) {
    std::string payload;
    for (int i = 0; i < step.len; ++i) payload += content_byte(step.conn, step.at + i, step.content);
    return payload;
}

std::string tcp_segment(const Script& script, const Step& step, const FlowTuple& tuple, const Heard& heard) {
    const std::string options = tcp_options(step, heard);
    const unsigned words =
        step.doff != 0 ? static_cast<unsigned>(step.doff) : 5 + static_cast<unsigned>(options.size()) / 4;
    const std::uint32_t seq =
        script.first_byte(step.conn) + static_cast<std::uint32_t>(step.at) - ((step.flags & 0x02) != 0 ? 1 : 0);
    const bool acks = (step.flags & 0x10) != 0 || step.ack != 0;
    const std::uint32_t ack = acks ? heard.server_next + static_cast<std::uint32_t>(step.ack) : 0;
    std::string segment = be16(tuple.client.port) + be16(tuple.server.port) + be32(seq) + be32(ack) +
                          one(words << 4 | static_cast<unsigned>(step.reserved & 0xf)) +
                          one(static_cast<unsigned>(step.flags)) + be16(static_cast<unsigned>(step.window)) + zeros(2) +
                          be16(static_cast<unsigned>(step.urgent)) + options + payload_of(step);
    const auto pseudo =
        tcp_pseudo_sum(tuple.client.address, tuple.server.address, static_cast<std::uint32_t>(segment.size()));
    put_checksum(segment, 16, pseudo, step.bad_tcp != 0);
    return segment;
}

std::string four(const IpAddress& address) { return {reinterpret_cast<const char*>(address.bytes.data()) + 12, 4}; }
std::string sixteen(const IpAddress& address) { return {reinterpret_cast<const char*>(address.bytes.data()), 16}; }

std::string ipv4(const Step& step, const FlowTuple& tuple, const std::string& segment) {
    std::string options;
    if (step.ip_extra == kIpNop) options = "\x01\x01\x01\x01";
    if (step.ip_extra == kIpRecordRoute) options = std::string("\x07\x07\x04\0\0\0\0\0", 8);
    if (step.ip_extra == kIpSourceRoute) options = std::string("\x83\x07\x04\x0a\0\0\x09\0", 8);
    const std::size_t header = 20 + options.size();
    const auto total = static_cast<unsigned>(static_cast<int>(header + segment.size()) + step.ip_len);
    std::string ip = one(0x40 | static_cast<unsigned>(header / 4)) + zeros(1) + be16(total) + zeros(2) +
                     std::string("\x40\0\x40\x06\0\0", 6) + four(tuple.client.address) + four(tuple.server.address) +
                     options;
    put_checksum(ip, 10, 0, step.bad_ip != 0);
    return ip + segment;
}

std::string ipv6(const Step& step, const FlowTuple& tuple, const std::string& segment) {
    std::string extensions;
    unsigned next = 6;
    if (step.ip_extra == kIpNop) next = 0, extensions = std::string("\x06\0\x01\x04\0\0\0\0", 8);
    if (step.ip_extra == kIpRecordRoute) next = 44, extensions = std::string("\x06\0\0\0\0\0\0\x07", 8);
    if (step.ip_extra == kIpSourceRoute) next = 43, extensions = std::string("\x06\0\x02\x01\0\0\0\0", 8);
    const auto length = static_cast<unsigned>(static_cast<int>(extensions.size() + segment.size()) + step.ip_len);
    return std::string("\x60\0\0\0", 4) + be16(length) + one(next) + "\x40" + sixteen(tuple.client.address) +
           sixteen(tuple.server.address) + extensions + segment;
}

}  // namespace

std::string write_packet(const Script& script, const Step& step, const FlowTuple& tuple, const Heard& heard) {
    const std::string segment = tcp_segment(script, step, tuple, heard);
    const std::string packet = script.ipv6 ? ipv6(step, tuple, segment) : ipv4(step, tuple, segment);
    return packet + zeros(static_cast<std::size_t>(step.padding));
}

}  // namespace umbra::differential
