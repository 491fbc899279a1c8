// What a flow may make the protocol stage hold. Past a limit its request or the flow is given up and counted.
#pragma once

#include <cstddef>

namespace umbra {

struct ProtocolLimits {
    std::size_t head_bytes = 64 * 1024;          // of an HTTP/1 head, and of bytes held until the protocol is known
    std::size_t held_bytes = 128 * 1024 * 1024;  // by all flows of a worker
    // HTTP/2
    std::size_t http2_bytes = 26 * 1024;        // what an idle connection's decoder counts as, about its true size
    std::size_t open_streams = 256;             // that the client has not ended; past it the quietest is given up
    std::size_t header_list_bytes = 64 * 1024;  // names and values, and field_overhead for each field
    std::size_t field_overhead = 128;
    std::size_t header_block_bytes = 128 * 1024;  // HEADERS with its CONTINUATIONs, as they came
};

}  // namespace umbra
