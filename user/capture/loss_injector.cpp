#include "capture/loss_injector.h"

#include <charconv>
#include <string>

namespace umbra {

namespace {

constexpr std::uint32_t kPerPercent = InjectedLoss::kWhole / 100;
constexpr std::size_t kDecimals = 4;

bool parse_number(std::string_view text, std::uint64_t& number) {
    const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failure == std::errc{} && rest == text.data() + text.size();
}

// In millionths; 0 if it is none.
std::uint64_t parse_percent(std::string_view text) {
    const auto point = text.find('.');
    std::string decimals(point == text.npos ? "" : text.substr(point + 1));
    if (decimals.size() > kDecimals || (point != text.npos && decimals.empty())) return 0;
    decimals.resize(kDecimals, '0');
    std::uint64_t whole = 0, part = 0;
    if (!parse_number(text.substr(0, point), whole) || !parse_number(decimals, part) || whole > 100) return 0;
    return whole * kPerPercent + part;
}

}  // namespace

Result<InjectedLoss> parse_injected_loss(std::string_view text) {
    const auto comma = text.find(',');
    const std::uint64_t per_million = parse_percent(text.substr(0, comma));
    InjectedLoss loss;
    const bool seed_is_good = comma == text.npos || parse_number(text.substr(comma + 1), loss.seed);
    if (per_million == 0 || per_million > InjectedLoss::kWhole || !seed_is_good)
        return Error{ErrorCode::usage, "inject loss '" + std::string(text) + "': not PERCENT[,SEED]",
                     "write a percentage above 0 and up to 100, e.g. 0.1 or 5,42"};
    loss.per_million = static_cast<std::uint32_t>(per_million);
    return loss;
}

}  // namespace umbra
