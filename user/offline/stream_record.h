// StreamRecord: what the index says of one client stream. A value; StreamIndex owns them all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/ledger.h"
#include "net/ip_address.h"

namespace umbra::offline {

// How the client's stream ended, as a socket that reads it sees it.
enum class StreamState : std::uint8_t {
    nohs,   // the handshake was not completed, or lies before the capture: there is nothing to read
    open,   // the client has not ended it as far as it can be read
    eof,    // the client closed it and all was read
    reset,  // the client reset it
};
const char* state_name(StreamState state);  // nohs, open, EOF, ECONNRESET

struct StreamRecord {
    static constexpr std::uint32_t kNone = ~std::uint32_t{0};

    FlowTuple tuple;
    TimeNs first = 0;
    TimeNs last = 0;
    std::uint64_t packets = 0;  // of both sides
    std::uint64_t bytes = 0;    // in the file
    std::uint64_t missing = 0;  // bytes of the first gap, where the file ends
    std::uint64_t behind_gap = 0;
    std::uint64_t acked = 0;  // bytes of the stream that the server was seen to acknowledge
    std::string sha256;       // empty: of no bytes
    std::optional<Reason> cut;
    std::uint32_t previous = kNone;  // of the same tuple
    std::uint32_t client_isn = 0;
    std::uint32_t next_isn = 0;  // of a SYN on a connection that is not over; valid with `retried`
    std::uint32_t server_ack = 0;

    bool syn : 1 = false;
    bool server_seen : 1 = false;
    bool established : 1 = false;
    bool over : 1 = false;  // a FIN or RST of either side was seen
    bool retried : 1 = false;
    bool delivered : 1 = false;  // reassembly has handed the stream on
    bool midstream : 1 = false;
    bool fin : 1 = false;
    bool rst : 1 = false;
    bool listed : 1 = true;

    StreamState state() const;
    // No word came from the server for the last bytes, or for any.
    bool one_sided() const { return !server_seen || bytes > acked; }
};

}  // namespace umbra::offline
