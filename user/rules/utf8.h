// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates.
#pragma once

#include <optional>
#include <string_view>

namespace umbra::rules {

// The position of the first byte that is not UTF-8.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

}  // namespace umbra::rules
