#include "flow/ip_header.h"

#include <algorithm>

#include "flow/byte_reader.h"
#include "net/checksum.h"

#include "umbra/abi/limits.h"

namespace umbra {

namespace {

constexpr std::uint8_t kTcp = 6, kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51, kDestination = 60;
constexpr std::size_t kMinimumIpv4 = 20, kLargestLengthField = 0xffff;
constexpr std::uint8_t kLooseSourceRoute = 131, kStrictSourceRoute = 137, kEndOfOptions = 0, kNoOperation = 1;
constexpr std::uint8_t kJumboOption = 0xc2;

const std::uint8_t* raw(Bytes bytes) { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }

// Linux drops source-routed packets (accept_source_route is off); malformed options too.
bool ipv4_options_accepted(Bytes options) {
    ByteReader reader(options);
    while (reader.left() > 0) {
        const auto kind = reader.u8();
        if (kind == kEndOfOptions) return true;
        if (kind == kNoOperation) continue;
        const auto length = reader.u8();
        if (!reader.ok() || length < 2 || kind == kLooseSourceRoute || kind == kStrictSourceRoute) return false;
        reader.skip(length - 2u);
        if (!reader.ok()) return false;
    }
    return true;
}

IpPayload decode_ipv4(Bytes bytes, std::size_t missing, bool verify_checksum) {
    IpPayload ip;
    ByteReader reader(bytes);
    const std::size_t header = (reader.u8() & 0x0fu) * 4;
    reader.skip(1);
    std::size_t total = reader.u16();
    reader.skip(2);
    const auto fragment = reader.u16();
    reader.skip(1);
    const auto protocol = reader.u8();
    reader.skip(2);
    const Bytes source = reader.take(4), destination = reader.take(4);
    if (!reader.ok()) return ip;
    if (protocol != kTcp) return ip;
    ip.source = IpAddress::v4(raw(source));
    ip.destination = IpAddress::v4(raw(destination));
    ip.status = DecodeStatus::bad_header;
    if (total == 0 && bytes.size() + missing > kLargestLengthField) total = bytes.size() + missing;  // BIG TCP
    if (header < kMinimumIpv4 || header > total || header > bytes.size() || total > bytes.size() + missing) return ip;
    ip.wrong_checksum = verify_checksum && checksum_fold(checksum_sum(bytes.first(header))) != 0xffff;
    if (!ipv4_options_accepted(bytes.subspan(kMinimumIpv4, header - kMinimumIpv4))) return ip;
    if ((fragment & 0x3fff) != 0) {
        ip.status = DecodeStatus::fragment;
        return ip;
    }
    ip.status = total > bytes.size() ? DecodeStatus::truncated : DecodeStatus::ok;
    ip.tcp = bytes.subspan(header, std::min(total, bytes.size()) - header);
    ip.missing = total > bytes.size() ? total - bytes.size() : 0;
    return ip;
}

struct Extensions {
    DecodeStatus status = DecodeStatus::bad_header;
    std::uint32_t jumbo = 0;
};

// The jumbo payload length, if the hop-by-hop options have one.
std::uint32_t jumbo_length(Bytes options) {
    ByteReader reader(options);
    while (reader.left() > 0) {
        const auto kind = reader.u8();
        if (kind == 0) continue;
        const auto length = reader.u8();
        if (kind == kJumboOption && length == 4) return reader.u32();
        reader.skip(length);
    }
    return 0;
}

// One header that is not TCP; moves the reader behind it. False: `found.status` says why to stop.
bool step_extension(std::uint8_t kind, ByteReader& reader, std::uint8_t& next, Extensions& found) {
    next = reader.u8();
    const auto length = reader.u8();
    if (kind == kFragment) {
        const auto offset_and_more = reader.u16();
        reader.skip(4);
        if (reader.ok() && (offset_and_more & 0xfff9) == 0) return true;
        found.status = reader.ok() ? DecodeStatus::fragment : DecodeStatus::bad_header;
        return false;
    }
    const std::size_t body = kind == kAuthentication ? (length + 2u) * 4 - 2 : (length + 1u) * 8 - 2;
    const Bytes content = reader.take(body);
    if (!reader.ok()) return false;
    if (kind == kHopByHop) found.jumbo = jumbo_length(content);
    if (kind == kRouting && content[1] != std::byte{0}) return false;  // segments left: not delivered here
    return true;
}

bool is_extension(std::uint8_t kind) {
    return kind == kHopByHop || kind == kRouting || kind == kFragment || kind == kAuthentication ||
           kind == kDestination;
}

// Walks to TCP; the reader then stands at it.
Extensions walk_extensions(ByteReader& reader, std::uint8_t next) {
    Extensions found;
    for (int count = 0; is_extension(next); ++count) {
        const auto kind = next;
        if (count == UMBRA_MAX_EXT_HEADERS || (kind == kHopByHop && count > 0)) return found;
        if (!step_extension(kind, reader, next, found)) return found;
    }
    found.status = next == kTcp ? DecodeStatus::ok : DecodeStatus::foreign;
    return found;
}

IpPayload decode_ipv6(Bytes bytes, std::size_t missing) {
    IpPayload ip;
    ByteReader reader(bytes);
    reader.skip(4);
    std::size_t length = reader.u16();
    const auto next = reader.u8();
    reader.skip(1);
    const Bytes source = reader.take(16), destination = reader.take(16);
    if (!reader.ok()) return ip;
    ip.source = IpAddress::v6(raw(source));
    ip.destination = IpAddress::v6(raw(destination));
    const std::size_t available = reader.left();
    const Extensions found = walk_extensions(reader, next);
    ip.status = found.status;
    if (ip.status != DecodeStatus::ok) return ip;
    if (length == 0) length = found.jumbo;
    if (length == 0 && available + missing > kLargestLengthField) length = available + missing;  // BIG TCP
    const std::size_t extensions = available - reader.left();
    ip.status = DecodeStatus::bad_header;
    if (length > available + missing || extensions > length) return ip;
    ip.status = length > available ? DecodeStatus::truncated : DecodeStatus::ok;
    ip.tcp = reader.rest().first(std::min(length, available) - extensions);
    ip.missing = length > available ? length - available : 0;
    return ip;
}

}  // namespace

IpPayload decode_ip(const NetworkPacket& packet, std::size_t missing, bool verify_checksum) {
    if (packet.version == 4) return decode_ipv4(packet.bytes, missing, verify_checksum);
    return decode_ipv6(packet.bytes, missing);
}

}  // namespace umbra
