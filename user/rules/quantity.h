// Numbers of bytes as Kubernetes writes them: "4096", "16Mi", "10M".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace umbra::rules {

// Whole numbers with k, M, G, T or Ki, Mi, Gi, Ti. Nothing for other text and for what does not fit in 63 bits.
std::optional<std::uint64_t> parse_quantity(std::string_view text);

}  // namespace umbra::rules
