// How limits are written on the command line and printed: counts and sizes with k, M or G (of 1024), times with ms, s,
// m.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace umbra {

enum class LimitKind : std::uint8_t { count, bytes, time };

// "NAME=VALUE", or only a name.
struct LimitAssignment {
    std::string_view whole, name, value;
    bool has_value = false;
};
LimitAssignment split_assignment(std::string_view assignment);

// Above zero and finite.
Result<std::uint64_t> read_limit(const LimitAssignment& assignment, LimitKind kind);
// In the form that read_limit() takes.
std::string print_limit(LimitKind kind, std::uint64_t value);
Error limit_usage(const LimitAssignment& assignment, const std::string& cause, const std::string& hint);
Error unknown_limit(const LimitAssignment& assignment);

}  // namespace umbra
