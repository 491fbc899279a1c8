#include "rules/utf8.h"

#include <cstdint>

namespace umbra::rules {

namespace {

// The length of the sequence that starts with this byte and the least code point it may carry; 0: no start.
struct Lead {
    std::size_t length;
    std::uint32_t least;
    std::uint32_t bits;
};

Lead read_lead(std::uint8_t byte) {
    if (byte < 0x80) return {1, 0, byte};
    if ((byte & 0xe0) == 0xc0) return {2, 0x80, byte & 0x1fu};
    if ((byte & 0xf0) == 0xe0) return {3, 0x800, byte & 0x0fu};
    if ((byte & 0xf8) == 0xf0) return {4, 0x10000, byte & 0x07u};
    return {0, 0, 0};
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = read_lead(static_cast<std::uint8_t>(text[at]));
        if (lead.length == 0 || lead.length > text.size() - at) return at;
        auto code = lead.bits;
        for (std::size_t i = 1; i < lead.length; ++i) {
            const auto byte = static_cast<std::uint8_t>(text[at + i]);
            if ((byte & 0xc0) != 0x80) return at;
            code = code << 6 | (byte & 0x3fu);
        }
        if (code < lead.least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return at;
        at += lead.length;
    }
    return std::nullopt;
}

}  // namespace umbra::rules
