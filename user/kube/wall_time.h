// Wall-clock time in the two forms of the Kubernetes API.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace umbra::kube {

double wall_now();                                           // seconds since 1970
std::string rfc3339(double seconds);                         // 2026-01-31T12:00:00Z
std::string rfc3339_micro(double seconds);                   // 2026-01-31T12:00:00.000000Z
std::optional<double> parse_rfc3339(std::string_view text);  // in UTC, with or without a fraction

}  // namespace umbra::kube
