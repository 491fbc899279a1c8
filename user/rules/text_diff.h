// Line differences between two texts, with three lines of context.
#pragma once

#include <string>
#include <string_view>

namespace umbra::rules {

// Lines begin with "+", "-" or a blank; "..." stands for equal lines left out. Empty when the texts are equal.
std::string diff_lines(std::string_view before, std::string_view after);

}  // namespace umbra::rules
