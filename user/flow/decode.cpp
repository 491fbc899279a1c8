#include "flow/decode.h"

#include <algorithm>

#include "flow/ip_header.h"
#include "flow/link_header.h"
#include "flow/tcp_header.h"
#include "net/checksum.h"

#include "umbra/abi/limits.h"

namespace umbra {

namespace {

constexpr std::size_t kChecksumOffset = 16;

enum class Checksum { right, partial, wrong };

Checksum judge_checksum(const IpPayload& ip) {
    const auto pseudo = tcp_pseudo_sum(ip.source, ip.destination, static_cast<std::uint32_t>(ip.tcp.size()));
    if (checksum_fold(pseudo + checksum_sum(ip.tcp)) == 0xffff) return Checksum::right;
    const auto field = checksum_fold(checksum_sum(ip.tcp.subspan(kChecksumOffset, 2)));
    return field == checksum_fold(pseudo) ? Checksum::partial : Checksum::wrong;
}

TcpPacket packet_of(const IpPayload& ip, const TcpHeader& header, TimeNs time) {
    TcpPacket packet;
    static_cast<SegmentHeader&>(packet) = header;
    packet.time = time;
    packet.source = {ip.source, header.source_port};
    packet.destination = {ip.destination, header.destination_port};
    packet.payload = header.payload;
    packet.payload_len = static_cast<std::uint32_t>(header.payload.size() + ip.missing);
    return packet;
}

}  // namespace

DecodeResult decode(const CapturedPacket& captured, const DecodeOptions& options) {
    DecodeResult result;
    const auto network = strip_link_header(captured.link, captured.data);
    if (!network) return result;
    const std::size_t missing = captured.wire_len > captured.data.size() ? captured.wire_len - captured.data.size() : 0;
    const IpPayload ip = decode_ip(*network, missing, options.verify_ip_checksum);
    result.status = ip.status;
    const bool cut = ip.status == DecodeStatus::truncated;
    if (ip.status != DecodeStatus::ok && !cut) return result;
    const auto header = decode_tcp(ip.tcp);
    if (!header) {
        if (!cut) result.status = DecodeStatus::bad_header;
        return result;
    }
    result.packet = packet_of(ip, *header, captured.time);
    result.headers_only = cut;
    if (cut) return result;
    if (ip.wrong_checksum) {
        result.status = DecodeStatus::bad_checksum;
    } else if (captured.checksum == ChecksumState::verify) {
        const Checksum checksum = judge_checksum(ip);
        result.partial_checksum = checksum == Checksum::partial && options.virtual_device;
        if (checksum != Checksum::right && !result.partial_checksum) result.status = DecodeStatus::bad_checksum;
    } else {
        result.partial_checksum = captured.checksum == ChecksumState::partial;
    }
    return result;
}

Segment to_segment(const TcpPacket& packet) {
    Segment segment;
    static_cast<SegmentHeader&>(segment) = packet;
    segment.tuple = {packet.source, packet.destination};
    segment.payload = packet.payload;
    return segment;
}

ServerHeader to_server_header(const TcpPacket& packet) {
    ServerHeader header;
    static_cast<SegmentHeader&>(header) = packet;
    header.tuple = {packet.destination, packet.source};
    header.payload_len = packet.payload_len;
    header.prefix = packet.payload.first(std::min<std::size_t>(packet.payload.size(), UMBRA_SERVER_PREFIX));
    return header;
}

}  // namespace umbra
