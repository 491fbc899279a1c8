#include "rules/quantity.h"

#include <charconv>
#include <utility>

namespace umbra::rules {

namespace {

std::optional<std::uint64_t> unit_of(std::string_view suffix) {
    constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
        {"", 1},
        {"k", 1'000},
        {"M", 1'000'000},
        {"G", 1'000'000'000},
        {"T", 1'000'000'000'000},
        {"Ki", std::uint64_t{1} << 10},
        {"Mi", std::uint64_t{1} << 20},
        {"Gi", std::uint64_t{1} << 30},
        {"Ti", std::uint64_t{1} << 40},
    };
    for (const auto& [name, unit] : kUnits) {
        if (suffix == name) return unit;
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_quantity(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{}) return std::nullopt;
    const auto unit = unit_of(text.substr(static_cast<std::size_t>(end - text.data())));
    if (!unit || number > INT64_MAX / *unit) return std::nullopt;
    return number * *unit;
}

}  // namespace umbra::rules
