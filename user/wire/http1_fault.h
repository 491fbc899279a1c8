// What can be wrong with bytes that should be HTTP/1. Not here: what to do about it.
#pragma once

#include <cstdint>

namespace umbra::wire {

enum class HttpFault : std::uint8_t {
    none,
    invalid,    // not HTTP/1
    ambiguous,  // two servers may read it differently
};

}  // namespace umbra::wire
