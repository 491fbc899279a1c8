#include "rules/duration.h"

#include <array>
#include <cstdint>
#include <utility>

namespace umbra::rules {

namespace {

using Wide = unsigned __int128;

constexpr Wide kLargest = static_cast<Wide>(INT64_MAX);
// "us" may be written with either of Unicode's micro signs.
constexpr std::array<std::pair<std::string_view, std::uint64_t>, 8> kUnits{{{"ns", 1},
                                                                            {"us", 1'000},
                                                                            {"\xc2\xb5s", 1'000},
                                                                            {"\xce\xbcs", 1'000},
                                                                            {"ms", 1'000'000},
                                                                            {"s", 1'000'000'000},
                                                                            {"m", 60'000'000'000},
                                                                            {"h", 3'600'000'000'000}}};

bool is_digit(std::string_view text) { return !text.empty() && text[0] >= '0' && text[0] <= '9'; }

std::optional<std::uint64_t> take_unit(std::string_view& text) {
    std::size_t length = 0;
    while (length < text.size() && text[length] != '.' && !is_digit(text.substr(length))) ++length;
    for (const auto& [name, nanoseconds] : kUnits) {
        if (text.substr(0, length) != name) continue;
        text.remove_prefix(length);
        return nanoseconds;
    }
    return std::nullopt;
}

// One "NUMBER UNIT" from the front of the text, in nanoseconds.
std::optional<Wide> take_part(std::string_view& text) {
    Wide whole = 0, fraction = 0, scale = 1;
    bool digits = false;
    for (; is_digit(text); text.remove_prefix(1), digits = true) {
        whole = whole * 10 + static_cast<Wide>(text[0] - '0');
        if (whole > kLargest) return std::nullopt;
    }
    if (!text.empty() && text[0] == '.') {
        for (text.remove_prefix(1); is_digit(text); text.remove_prefix(1), digits = true) {
            if (scale > kLargest / 10) continue;
            fraction = fraction * 10 + static_cast<Wide>(text[0] - '0');
            scale *= 10;
        }
    }
    const auto unit = take_unit(text);
    if (!digits || !unit) return std::nullopt;
    return whole * *unit + fraction * *unit / scale;
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    const bool negative = !text.empty() && text[0] == '-';
    if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
    if (text == "0") return std::chrono::nanoseconds(0);
    if (text.empty()) return std::nullopt;
    Wide total = 0;
    while (!text.empty()) {
        const auto part = take_part(text);
        if (!part) return std::nullopt;
        total += *part;
        if (total > kLargest) return std::nullopt;
    }
    const auto value = static_cast<std::int64_t>(total);
    return std::chrono::nanoseconds(negative ? -value : value);
}

}  // namespace umbra::rules
