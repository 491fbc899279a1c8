// What the fuzz targets share: the check that ends a run as a finding, and a cursor over the input. A property is
// stated where it is checked; its text is what the runner prints.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/bytes.h"

namespace umbra::fuzz {

inline void require(bool holds, const char* property) {
    if (holds) return;
    std::fprintf(stderr, "property violated: %s\n", property);
    std::abort();
}

// Takes the input apart from its front; zeros behind its end.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(std::as_bytes(std::span(data, size))) {}

    bool empty() const { return rest_.empty(); }
    std::uint8_t u8() {
        if (rest_.empty()) return 0;
        const auto value = std::to_integer<std::uint8_t>(rest_[0]);
        rest_ = rest_.subspan(1);
        return value;
    }
    std::uint16_t u16() {
        const unsigned high = u8();
        return static_cast<std::uint16_t>(high << 8 | u8());
    }
    std::uint32_t u32() {
        const std::uint32_t high = u16();
        return high << 16 | u16();
    }
    Bytes rest() const { return rest_; }

private:
    Bytes rest_;
};

}  // namespace umbra::fuzz
