// "Did you mean": the known name closest to one that is not known.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::rules {

// Empty when nothing is close enough to be a slip of the pen.
std::string closest_name(std::string_view name, std::span<const std::string_view> known);
// "did you mean 'X'?", or empty.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> known);

}  // namespace umbra::rules
