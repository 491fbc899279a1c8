// ChunkedCheck: follows a chunked body byte by byte in the one form that every server reads alike (CRLF only,
// plain hexadecimal sizes, well-formed extensions and trailers). Keeps no bytes.
// Not llhttp's part: version 8.1 refuses lists of extensions that RFC 9112 allows and lets bare line feeds pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bound.h"
#include "wire/http1_fault.h"

namespace umbra::wire {

struct ChunkedLimits {
    Bound extension_bytes = 4 * 1024;  // of one chunk
    Bound trailer_bytes = 64 * 1024;   // of a body
};
inline const ChunkedLimits kDefaultChunkedLimits;

class ChunkedCheck {
public:
    // The limits outlive it.
    explicit ChunkedCheck(const ChunkedLimits& limits = kDefaultChunkedLimits) : limits_(&limits) {}

    struct Step {
        std::size_t consumed = 0;  // on a fault: bytes before the offending one
        bool done = false;
        HttpFault fault = HttpFault::none;
    };
    void begin() { *this = ChunkedCheck(*limits_); }
    Step feed(std::string_view bytes);

private:
    enum class State : std::uint8_t {
        size_first,
        size,
        extension_name_first,
        extension_name,
        extension_value_first,
        extension_value,
        extension_quoted,
        extension_escaped,
        extension_quoted_end,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_first,
        trailer_name,
        trailer_value,
        trailer_lf,
        last_lf,
        done,
    };
    bool step(char c);
    bool size_step(char c);
    bool extension_step(char c);
    bool trailer_step(char c);
    bool after_extension(char c);
    bool expect(char c, char wanted, State next);

    const ChunkedLimits* limits_;
    State state_ = State::size_first;
    std::uint64_t left_ = 0;       // of the current chunk's data
    std::uint32_t extension_ = 0;  // bytes of extensions of this chunk
    std::uint32_t trailer_ = 0;    // bytes of the trailer section
    std::uint8_t digits_ = 0;
};

}  // namespace umbra::wire
