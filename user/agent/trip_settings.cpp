#include "agent/trip_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>

namespace umbra::agent {

namespace {

enum class Kind { share, bytes, count, time };

constexpr double kKiB = 1024;
constexpr double kLargest = 1e15;

struct Row {
    const char* name;
    Kind kind;
    const char* meaning;
};

constexpr Row kThresholds[kPressures] = {
    {"cpu", Kind::share, "loader and terminator, of all CPUs"},
    {"memory", Kind::bytes, "resident memory of loader and terminator"},
    {"capture_loss", Kind::share, "packets lost between kernel and terminator, of those taken"},
    {"mirror_errors", Kind::share, "requests dropped because of a mirror, of those finished"},
    {"softnet", Kind::count, "packets dropped and time squeezes of the host's softnet, a second"},
};
constexpr Row kAfter{"after", Kind::time, "above a threshold for so long: half of the flows, in the end none"};
constexpr Row kRecover{"recover", Kind::time, "below all low marks for so long: one step back; doubles with relapses"};
constexpr Row kVolume{"volume", Kind::count, "packets or requests a second below which a share is not judged"};

double factor(Kind kind, std::string_view unit) {
    if (kind == Kind::share) return unit == "%" ? 0.01 : 0;
    if (kind == Kind::time) {
        if (unit == "ms") return static_cast<double>(kMillisecond);
        if (unit == "s") return static_cast<double>(kSecond);
        return unit == "m" ? 60.0 * static_cast<double>(kSecond) : 0;
    }
    if (unit.empty()) return 1;
    if (kind == Kind::count) return 0;
    if (unit == "k") return kKiB;
    if (unit == "M") return kKiB * kKiB;
    return unit == "G" ? kKiB * kKiB * kKiB : 0;
}

const char* example(Kind kind) {
    switch (kind) {
        case Kind::share:
            return "write a percentage such as 50% or 0.5%";
        case Kind::bytes:
            return "write a size such as 512M or 1G";
        case Kind::time:
            return "write a time such as 500ms, 10s or 2m";
        case Kind::count:
            break;
    }
    return "write a number";
}

Error usage(std::string_view assignment, const std::string& cause, const std::string& hint) {
    return {ErrorCode::usage, "set trip '" + std::string(assignment) + "': " + cause, hint};
}

Result<double> read_value(std::string_view assignment, Kind kind, std::string_view text) {
    double number = 0;
    const auto [rest, failure] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    const double unit = factor(kind, text.substr(static_cast<std::size_t>(rest - text.data())));
    if (failure != std::errc{} || unit == 0) return usage(assignment, "not a value of its kind", example(kind));
    const double value = number * unit;
    if (!(value > 0) || value > kLargest || (kind == Kind::share && value > 1))
        return usage(assignment, "out of range", "a threshold is finite and above zero, a share at most 100%");
    return value;
}

std::string print(Kind kind, double value) {
    if (kind == Kind::share) return fmt::format("{:.4g}%", value * 100);
    if (kind == Kind::time) {
        const double ms = value / static_cast<double>(kMillisecond);
        return std::fmod(ms, 1000) == 0 ? fmt::format("{:.0f}s", ms / 1000) : fmt::format("{:.0f}ms", ms);
    }
    if (kind == Kind::bytes && value >= kKiB * kKiB) return fmt::format("{:.5g}M", value / kKiB / kKiB);
    return fmt::format("{:.0f}", value);
}

Result<void> set_time(TimeNs& time, std::string_view assignment, std::string_view text) {
    const auto value = read_value(assignment, Kind::time, text);
    if (!value) return value.error();
    time = static_cast<TimeNs>(*value);
    return {};
}

}  // namespace

const char* pressure_name(Pressure pressure) { return kThresholds[static_cast<std::size_t>(pressure)].name; }

bool TripSettings::enabled() const {
    return std::ranges::any_of(thresholds, [](const auto& threshold) { return threshold.has_value(); });
}

Result<void> set_trip(TripSettings& settings, std::string_view assignment) {
    if (assignment == "off") {
        settings.thresholds.fill(std::nullopt);
        return {};
    }
    const auto equals = assignment.find('=');
    if (equals == std::string_view::npos) return usage(assignment, "no value", "write NAME=VALUE, NAME=off or off");
    const auto name = assignment.substr(0, equals), text = assignment.substr(equals + 1);
    if (name == kAfter.name) return set_time(settings.after, assignment, text);
    if (name == kRecover.name) return set_time(settings.recover, assignment, text);
    if (name == kVolume.name) {
        const auto value = read_value(assignment, Kind::count, text);
        if (!value) return value.error();
        settings.volume = *value;
        return {};
    }
    const std::span<const Row> rows(kThresholds);
    const auto row = std::ranges::find(rows, name, [](const Row& entry) { return std::string_view(entry.name); });
    if (row == rows.end())
        return usage(assignment, "no threshold has this name",
                     "cpu, memory, capture_loss, mirror_errors, softnet; after, recover, volume");
    auto& threshold = settings.thresholds[static_cast<std::size_t>(row - rows.begin())];
    if (text == "off") {
        threshold.reset();
        return {};
    }
    const auto value = read_value(assignment, row->kind, text);
    if (!value) return value.error();
    threshold = *value;
    return {};
}

std::vector<TripSettingRow> list_trip(const TripSettings& settings) {
    std::vector<TripSettingRow> rows;
    for (std::size_t i = 0; i < kPressures; ++i) {
        const auto& threshold = settings.thresholds[i];
        rows.push_back(
            {kThresholds[i].name, threshold ? print(kThresholds[i].kind, *threshold) : "off", kThresholds[i].meaning});
    }
    rows.push_back({kAfter.name, print(Kind::time, static_cast<double>(settings.after)), kAfter.meaning});
    rows.push_back({kRecover.name, print(Kind::time, static_cast<double>(settings.recover)), kRecover.meaning});
    rows.push_back({kVolume.name, print(Kind::count, settings.volume), kVolume.meaning});
    return rows;
}

std::string print_pressure(Pressure pressure, double value) {
    return print(kThresholds[static_cast<std::size_t>(pressure)].kind, value);
}

}  // namespace umbra::agent
