// What a flow may make the protocol stage hold. Past a limit its request or the flow is given up and counted.
// terminator/limit_table has a row for each.
#pragma once

#include <cstddef>

#include "base/bound.h"
#include "wire/chunked_check.h"

namespace umbra {

struct ProtocolLimits {
    Bound head_bytes = 64 * 1024;          // of an HTTP/1 head, and of bytes held until the protocol is known
    Bound held_bytes = 128 * 1024 * 1024;  // by all flows of a worker
    // HTTP/2
    Bound open_streams = 256;               // that the client has not ended; past it the quietest is given up
    Bound header_list_bytes = 64 * 1024;    // names and values, and kFieldOverhead for each field
    Bound header_block_bytes = 128 * 1024;  // HEADERS with its CONTINUATIONs, as they came
    wire::ChunkedLimits chunked = {};
};

inline constexpr std::size_t kFieldOverhead = 128;       // what a field of a header list counts besides its text
inline constexpr std::size_t kDecoderBytes = 26 * 1024;  // what an idle connection's HTTP/2 decoder counts: its size

}  // namespace umbra
