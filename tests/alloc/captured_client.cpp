#include "alloc/captured_client.h"

#include <utility>
#include <vector>

namespace umbra::test {

namespace {
constexpr std::size_t kSegmentBytes = 1448;
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
}  // namespace

void CapturedClient::segment(std::uint32_t at, std::string_view payload, std::uint8_t flags) {
    Segment segment;
    segment.tuple = tuple_;
    segment.seq = at;
    segment.ack = answered_;
    segment.flags = flags;
    segment.window = 64000;
    segment.time = ++sink_.now;
    segment.payload = as_bytes(payload);
    sink_.segment(segment);
}

void CapturedClient::server(std::string_view payload, std::uint8_t flags) {
    ServerHeader header;
    header.tuple = tuple_;
    header.seq = answered_;
    header.ack = said_;
    header.flags = flags;
    header.window = 64000;
    header.options.window_scale = 8;
    header.time = ++sink_.now;
    header.payload_len = static_cast<std::uint32_t>(payload.size());
    header.prefix = as_bytes(payload.substr(0, 16));
    answered_ += static_cast<std::uint32_t>(payload.size()) + ((flags & (kSyn | kFin)) != 0 ? 1 : 0);
    sink_.server(header);
}

void CapturedClient::connect() {
    segment(said_++, {}, kSyn);
    server({}, kSyn | kAck);
}

void CapturedClient::say(std::string_view text, bool swapped) {
    std::vector<std::pair<std::uint32_t, std::string_view>> pieces;
    for (std::size_t at = 0; at < text.size(); at += kSegmentBytes)
        pieces.emplace_back(said_ + static_cast<std::uint32_t>(at), text.substr(at, kSegmentBytes));
    if (swapped && pieces.size() > 1) std::swap(pieces[0], pieces[1]);
    for (const auto& [at, piece] : pieces) segment(at, piece, kAck);
    said_ += static_cast<std::uint32_t>(text.size());
}

void CapturedClient::answer() { server(kAnswer, kAck); }

void CapturedClient::finish() {
    segment(said_++, {}, kFin | kAck);
    server({}, kFin | kAck);
}

}  // namespace umbra::test
