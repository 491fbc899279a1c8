#include "base/limit_value.h"

#include <charconv>

#include "base/clock.h"

namespace umbra {

namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

std::uint64_t factor(LimitKind kind, std::string_view unit) {
    if (kind == LimitKind::time) {
        if (unit == "ms") return kMillisecond;
        if (unit == "s") return kSecond;
        return unit == "m" ? 60 * kSecond : 0;
    }
    if (unit.empty()) return 1;
    if (unit == "k") return 1024;
    if (unit == "M") return kMiB;
    return unit == "G" ? 1024 * kMiB : 0;
}

}  // namespace

LimitAssignment split_assignment(std::string_view assignment) {
    const auto equals = assignment.find('=');
    if (equals == std::string_view::npos) return {assignment, assignment, {}, false};
    return {assignment, assignment.substr(0, equals), assignment.substr(equals + 1), true};
}

Result<std::uint64_t> read_limit(const LimitAssignment& assignment, LimitKind kind) {
    if (!assignment.has_value) return limit_usage(assignment, "no value", "write NAME=VALUE");
    const auto text = assignment.value;
    std::uint64_t number = 0;
    const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto unit = factor(kind, text.substr(static_cast<std::size_t>(rest - text.data())));
    if (failure != std::errc{} || unit == 0)
        return limit_usage(assignment, "not a value of its kind",
                           kind == LimitKind::time ? "write a time such as 500ms, 15s or 2m"
                                                   : "write a number, with k, M or G for multiples of 1024");
    std::uint64_t value = 0;
    if (__builtin_mul_overflow(number, unit, &value) || value == 0 || value > (1ULL << 50))
        return limit_usage(assignment, "out of range", "a limit is finite and above zero");
    return value;
}

std::string print_limit(LimitKind kind, std::uint64_t value) {
    if (kind == LimitKind::time)
        return value % kSecond == 0 ? std::to_string(value / kSecond) + "s"
                                    : std::to_string(value / kMillisecond) + "ms";
    if (kind == LimitKind::bytes && value % kMiB == 0) return std::to_string(value / kMiB) + "M";
    if (kind == LimitKind::bytes && value % 1024 == 0) return std::to_string(value / 1024) + "k";
    return std::to_string(value);
}

Error limit_usage(const LimitAssignment& assignment, const std::string& cause, const std::string& hint) {
    return {ErrorCode::usage, "set limit '" + std::string(assignment.whole) + "': " + cause, hint};
}

Error unknown_limit(const LimitAssignment& assignment) {
    return limit_usage(assignment, "no limit has this name", "'umbra limits' lists them");
}

}  // namespace umbra
