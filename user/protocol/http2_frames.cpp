#include "protocol/http2_frames.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

namespace umbra {

namespace {

constexpr std::uint32_t kPriorityField = 5, kPing = 8, kGoaway = 8, kWindowUpdate = 4, kResetCode = 4, kSetting = 6;

Http2FrameHeader parse(const std::byte* at) {
    const auto u8 = [&](std::size_t i) { return std::to_integer<std::uint32_t>(at[i]); };
    Http2FrameHeader out;
    out.length = u8(0) << 16 | u8(1) << 8 | u8(2);
    out.type = static_cast<std::uint8_t>(u8(3));
    out.flags = static_cast<std::uint8_t>(u8(4));
    out.stream = (u8(5) << 24 | u8(6) << 16 | u8(7) << 8 | u8(8)) & 0x7fffffffu;
    return out;
}

std::size_t extra_size(const Http2FrameHeader& frame) {
    if (frame.type == NGHTTP2_DATA && frame.has(NGHTTP2_FLAG_PADDED)) return std::min(frame.length, 1u);
    if (frame.type == NGHTTP2_RST_STREAM) return std::min(frame.length, kResetCode);
    return 0;
}

}  // namespace

Http2Frames::Piece Http2Frames::next(Bytes& rest, std::size_t most) {
    if (left_ == 0) return take_prefix(rest);
    const std::size_t size = std::min({left_, rest.size(), most});
    const Bytes bytes = rest.first(size);
    rest = rest.subspan(size);
    left_ -= size;
    return {bytes, false, left_ == 0};
}

Http2Frames::Piece Http2Frames::take_prefix(Bytes& rest) {
    const auto fill = [&](std::size_t size) {
        const std::size_t part = std::min(rest.size(), size - held_);
        std::copy_n(rest.begin(), part, prefix_.begin() + static_cast<std::ptrdiff_t>(held_));
        held_ += part;
        rest = rest.subspan(part);
        return held_ == size;
    };
    if (held_ < kHeader) {
        if (!fill(kHeader)) return {};
        header_ = parse(prefix_.data());
        prefix_size_ = kHeader + extra_size(header_);
    }
    if (!fill(prefix_size_)) return {};
    held_ = 0;
    left_ = header_.length - (prefix_size_ - kHeader);
    return {Bytes(prefix_).first(prefix_size_), true, left_ == 0};
}

bool is_well_formed(const Http2FrameHeader& frame) {
    switch (frame.type) {
        case NGHTTP2_DATA:
            return frame.stream != 0 && (!frame.has(NGHTTP2_FLAG_PADDED) || frame.length > 0);
        case NGHTTP2_HEADERS:
        case NGHTTP2_CONTINUATION:
            return frame.stream != 0;
        case NGHTTP2_PRIORITY:
            return frame.stream != 0 && frame.length == kPriorityField;
        case NGHTTP2_RST_STREAM:
            return frame.stream != 0 && frame.length == kResetCode;
        case NGHTTP2_SETTINGS:
            return frame.stream == 0 &&
                   (frame.has(NGHTTP2_FLAG_ACK) ? frame.length == 0 : frame.length % kSetting == 0);
        case NGHTTP2_PUSH_PROMISE:
            return false;  // no client may send it
        case NGHTTP2_PING:
            return frame.stream == 0 && frame.length == kPing;
        case NGHTTP2_GOAWAY:
            return frame.stream == 0 && frame.length >= kGoaway;
        case NGHTTP2_WINDOW_UPDATE:
            return frame.length == kWindowUpdate;
        default:
            return true;
    }
}

}  // namespace umbra
