// Durations as Go writes them: "1h", "1.5s", "300ms", "1h15m30s".
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace umbra::rules {

// Nothing for other text and for what does not fit in 63 bits of nanoseconds.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

}  // namespace umbra::rules
