// TripSettings: from which pressure on the agent sheds by itself, by name, so that the command line can set it and
// status can print it. "NAME=VALUE"; NAME=off switches one off, "off" all of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace umbra::agent {

enum class Pressure : std::uint8_t { cpu, memory, capture_loss, mirror_errors, softnet };
inline constexpr std::size_t kPressures = 5;

template <class T>
using PerPressure = std::array<T, kPressures>;

const char* pressure_name(Pressure pressure);

struct TripSettings {
    // Shares as fractions of 1, memory in bytes, softnet per second. Nothing: off.
    PerPressure<std::optional<double>> thresholds{0.75, 1024.0 * 1024 * 1024, 0.25, std::nullopt, 1000.0};
    TimeNs after = 5 * kSecond;     // above a threshold for so long: one step down
    TimeNs recover = 10 * kSecond;  // below all low marks for so long: one step up; longer after relapses
    double volume = 1000;           // packets or requests a second below which a share of them says nothing

    bool enabled() const;
};

struct TripSettingRow {
    std::string name;
    std::string value;  // in the form that set_trip() takes
    std::string meaning;
};

Result<void> set_trip(TripSettings& settings, std::string_view assignment);
std::vector<TripSettingRow> list_trip(const TripSettings& settings);
// A value in the unit of its threshold: "62.5%", "512M", "1200".
std::string print_pressure(Pressure pressure, double value);

}  // namespace umbra::agent
