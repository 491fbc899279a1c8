// ByteReader: a cursor over untrusted bytes. Reads past the end give zero and make ok() false for good.
// A view: the bytes must outlive it.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace umbra {

class ByteReader {
public:
    explicit ByteReader(Bytes bytes) : rest_(bytes) {}

    bool ok() const { return ok_; }
    Bytes rest() const { return rest_; }
    std::size_t left() const { return rest_.size(); }

    std::uint8_t u8() {
        const Bytes one = take(1);
        return one.empty() ? std::uint8_t{0} : std::to_integer<std::uint8_t>(one[0]);
    }
    std::uint16_t u16() {
        const unsigned high = u8();
        return static_cast<std::uint16_t>(high << 8 | u8());
    }
    std::uint32_t u32() {
        const std::uint32_t high = u16();
        return high << 16 | u16();
    }
    Bytes take(std::size_t count) {
        if (count > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const Bytes taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }
    void skip(std::size_t count) { take(count); }

private:
    Bytes rest_;
    bool ok_ = true;
};

}  // namespace umbra
