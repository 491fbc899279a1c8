// FrameReader: bytes of the feed to the JSON texts of its frames, bounded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/frame.h"
#include "kube/feed.h"

namespace umbra::kube {

class FrameReader {
public:
    void add(std::string_view bytes) { rest_ += bytes; }

    // The next whole frame's text. Nothing: more bytes are needed, or the peer announced too long a frame (broken()).
    std::optional<std::string> next() {
        if (broken_ || rest_.size() < 4) return std::nullopt;
        control::FrameHeader header{};
        for (std::size_t i = 0; i < header.size(); ++i) header[i] = static_cast<std::uint8_t>(rest_[i]);
        const std::size_t length = control::frame_length(header);
        broken_ = length > kMaxFrameBytes;
        if (broken_ || rest_.size() < header.size() + length) return std::nullopt;
        std::string text = rest_.substr(header.size(), length);
        rest_.erase(0, header.size() + length);
        return text;
    }
    bool broken() const { return broken_; }
    void reset() { *this = FrameReader(); }

private:
    std::string rest_;
    bool broken_ = false;
};

}  // namespace umbra::kube
