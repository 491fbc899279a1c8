#include "flow/tcp_header.h"

#include "flow/byte_reader.h"

namespace umbra {

namespace {

constexpr std::uint8_t kEnd = 0, kNoOperation = 1, kWindowScale = 3, kSackPermitted = 4, kTimestamps = 8, kMd5 = 19,
                       kMptcp = 30;
constexpr std::size_t kMinimumHeader = 20;
constexpr std::uint8_t kLargestWindowScale = 14;

void apply_option(TcpOptions& options, std::uint8_t kind, Bytes value) {
    ByteReader reader(value);
    if (kind == kWindowScale && value.size() == 1) {
        const auto scale = reader.u8();
        options.window_scale = scale > kLargestWindowScale ? kLargestWindowScale : scale;
    } else if (kind == kSackPermitted && value.empty()) {
        options.sack_permitted = true;
    } else if (kind == kTimestamps && value.size() == 8) {
        options.tsval = reader.u32();
        options.tsecr = reader.u32();
    } else if (kind == kMd5) {
        options.md5 = true;
    } else if (kind == kMptcp) {
        options.mptcp = true;
    }
}

}  // namespace

TcpOptions decode_tcp_options(Bytes bytes) {
    TcpOptions options;
    ByteReader reader(bytes);
    while (reader.left() > 0) {
        const auto kind = reader.u8();
        if (kind == kEnd) break;
        if (kind == kNoOperation) continue;
        const auto length = reader.u8();
        options.malformed = !reader.ok() || length < 2 || length - 2u > reader.left();
        if (options.malformed) break;
        apply_option(options, kind, reader.take(length - 2u));
    }
    return options;
}

std::optional<TcpHeader> decode_tcp(Bytes tcp) {
    TcpHeader header;
    ByteReader reader(tcp);
    header.source_port = reader.u16();
    header.destination_port = reader.u16();
    header.seq = reader.u32();
    header.ack = reader.u32();
    const std::size_t length = (reader.u8() >> 4) * std::size_t{4};
    header.flags = reader.u8();
    header.window = reader.u16();
    reader.skip(2);
    header.urgent_pointer = reader.u16();
    if (!reader.ok() || length < kMinimumHeader || length > tcp.size()) return std::nullopt;
    header.options = decode_tcp_options(tcp.subspan(kMinimumHeader, length - kMinimumHeader));
    header.payload = tcp.subspan(length);
    return header;
}

}  // namespace umbra
