// The framing of the control socket: four bytes of length in network order, then that many bytes of JSON.
// One request and one response per connection.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace umbra::control {

inline constexpr std::size_t kMaxRequestBytes = 1u << 20;
inline constexpr std::size_t kMaxResponseBytes = 64u << 20;
inline constexpr std::size_t kMaxClients = 16;
inline constexpr std::size_t kMaxReaders = 12;  // of them; the other places are for peers that may change something
inline constexpr int kMaxMessageDepth = 32;
inline constexpr std::chrono::seconds kDeadline{5};  // for a whole request, and for taking a whole response

using FrameHeader = std::array<std::uint8_t, 4>;

inline FrameHeader frame_header(std::size_t length) {
    return {static_cast<std::uint8_t>(length >> 24), static_cast<std::uint8_t>(length >> 16),
            static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)};
}
inline std::size_t frame_length(const FrameHeader& header) {
    return std::size_t{header[0]} << 24 | std::size_t{header[1]} << 16 | std::size_t{header[2]} << 8 | header[3];
}

}  // namespace umbra::control
