// IoResult: what a non-blocking read or write did.
#pragma once

#include <cstddef>
#include <cstdint>

namespace umbra {

struct IoResult {
    enum class Kind : std::uint8_t { done, blocked, closed, reset };
    Kind kind = Kind::done;
    std::size_t count = 0;
};

}  // namespace umbra
