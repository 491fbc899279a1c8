// The head of an HTTP/1 request: where it ends, and whether every server must read it alike.
// Stricter than RFC 9112 asks of a server: what two parsers may take differently is refused, never repaired.
// HeadEnd is fed any pieces of the stream; check_head() looks at one whole head and keeps views into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/http1_fault.h"

namespace umbra::wire {

enum class BodyKind : std::uint8_t { none, length, chunked };

// Views into the head given to check_head().
struct Http1Head {
    std::string_view method;
    std::string_view target;
    std::uint8_t version_minor = 1;
    std::vector<std::pair<std::string_view, std::string_view>> headers;
    BodyKind body = BodyKind::none;
    std::uint64_t content_length = 0;
    bool close = false;
    bool upgrade = false;
};

// Finds the empty line that ends a head. Empty lines before the request line belong to the head.
class HeadEnd {
public:
    struct Found {
        std::optional<std::size_t> end;  // bytes of this piece up to and with the empty line
        HttpFault fault = HttpFault::none;
    };
    Found scan(std::string_view piece);
    void reset() { *this = {}; }

private:
    std::size_t line_bytes_ = 0;  // of the current line, CR included
    bool last_was_cr_ = false;
    bool inside_ = false;  // a line that is not empty was seen
};

// head: from the request's first byte to its empty line. Fills all of `out`.
HttpFault check_head(std::string_view head, Http1Head& out);

bool is_token_char(char c);
bool is_field_value_char(char c);

}  // namespace umbra::wire
