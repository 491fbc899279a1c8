// Writes random scripts: a client that mostly does what clients do, with a few things that it should not. The same
// seed gives the same script.
#pragma once

#include <cstdint>

#include "differential/script.h"

namespace umbra::differential {

Script random_script(std::uint64_t seed);
// The seed of script number `index` of a run.
std::uint64_t script_seed(std::uint64_t run_seed, std::uint64_t index);

}  // namespace umbra::differential
