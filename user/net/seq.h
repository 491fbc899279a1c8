// Serial arithmetic of TCP sequence numbers, and stream positions: 64-bit numbers whose low half is the sequence
// number, so that wrapping is over once a number is unwrapped. No other code compares sequence numbers.
#pragma once

#include <cstdint>

namespace umbra {

using StreamPos = std::uint64_t;

inline std::int32_t seq_distance(std::uint32_t from, std::uint32_t to) { return static_cast<std::int32_t>(to - from); }
inline bool seq_before(std::uint32_t a, std::uint32_t b) { return seq_distance(b, a) < 0; }
inline bool seq_after(std::uint32_t a, std::uint32_t b) { return seq_before(b, a); }

// Positions begin one wrap up, so that numbers before the first one have a position too.
inline StreamPos first_position(std::uint32_t seq) { return (StreamPos{1} << 32) | seq; }

// The position of `seq` that is nearest to `near`.
inline StreamPos unwrap(std::uint32_t seq, StreamPos near) {
    return near + static_cast<StreamPos>(std::int64_t{seq_distance(static_cast<std::uint32_t>(near), seq)});
}

}  // namespace umbra
