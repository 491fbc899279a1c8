// Http2Frames: a walk over an HTTP/2 connection's frames, by their 9-byte headers alone. Cuts the client's bytes into
// pieces that lie in one frame: first its prefix, whole however it came (the header and what decides where the frame
// belongs: the pad length of DATA, the code of RST_STREAM), then its payload as it comes. Knows no streams.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace umbra {

struct Http2FrameHeader {
    std::uint32_t length = 0;  // of the payload
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;

    bool has(unsigned flag) const { return (flags & flag) != 0; }
};

class Http2Frames {
public:
    struct Piece {
        Bytes bytes = {};  // empty: more of the prefix is awaited
        bool begins = false;
        bool ends = false;
    };
    // Takes the next piece, at most `most` bytes of payload, off the front of rest (not empty).
    Piece next(Bytes& rest, std::size_t most);

    // Of the frame at hand. What follows its header in the prefix: `extra`.
    const Http2FrameHeader& header() const { return header_; }
    Bytes extra() const { return Bytes(prefix_).subspan(kHeader, prefix_size_ - kHeader); }

    static constexpr std::size_t kHeader = 9;

private:
    static constexpr std::size_t kMaxExtra = 4;
    Piece take_prefix(Bytes& rest);

    std::array<std::byte, kHeader + kMaxExtra> prefix_{};
    std::size_t held_ = 0;               // of the prefix
    std::size_t prefix_size_ = kHeader;  // of the frame at hand
    std::size_t left_ = 0;               // of its payload
    Http2FrameHeader header_;
};

// Whether length and stream are what the frame's type allows (RFC 9113, section 6). Not judged: unknown types, and
// whether the stream exists.
bool is_well_formed(const Http2FrameHeader& frame);

}  // namespace umbra
