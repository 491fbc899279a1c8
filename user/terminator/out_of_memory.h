// How the terminator ends when memory fails where nothing can be given up instead: at its start, in its main thread, or
// while a worker makes its stages anew. Without a signal, with a message; the loader counts what was in flight as
// dropped and starts another terminator.
#pragma once

#include <string_view>

#include "base/result.h"

namespace umbra {

Error out_of_memory(std::string_view attempt);
// Allocates nothing.
[[noreturn]] void end_out_of_memory(std::string_view attempt) noexcept;

}  // namespace umbra
