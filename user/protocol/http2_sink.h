// What protocol hands upward of a connection that speaks HTTP/2: its streams, each a request. Frames of the connection
// itself (SETTINGS, PING, WINDOW_UPDATE, …) are not handed on: v2's connection has its own.
//
// Order of calls, per stream; calls of different streams mix:
//   stream_head ( stream_data )* [ stream_trailers ] ( stream_end | stream_reset )   stream_reset may follow stream_end
// MessageSink::close() ends them all: what has no stream_end then is not whole.
//
// Ledger: stream_head() has counted one request as seen (and in flight). Before each call stream_bytes() says how many
// bytes of the client's connection it stands for (frame headers and padding included), for stream_head() right after
// it; from then on they are the sink's, counted in the stream's row. A stream_reset() after stream_end() brings none.
// After stream_reset() the whole request is dropped under the reason given unless its answer was complete before.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ledger.h"

namespace umbra {

struct RequestHead;

// A field as it was decoded; views are valid during the call. Names in lower case.
struct HeaderField {
    std::string_view name;
    std::string_view value;
    bool never_index = false;  // the client's literal "never indexed": to be kept
};

class Http2Sink {
public:
    virtual ~Http2Sink() = default;
    // fields: all of them in order, pseudo-headers first. head: the same as a request, its `headers` without
    // pseudo-headers. Returns the row that this request is counted in, or null to skip it (the sink has counted why;
    // no further calls for it, its bytes are dropped as Reason::unmatched).
    virtual umbra_ledger_row* stream_head(std::uint32_t stream, const RequestHead& head,
                                          std::span<const HeaderField> fields, TimeNs now) = 0;
    virtual void stream_bytes(std::uint32_t stream, std::size_t count) = 0;
    virtual void stream_data(std::uint32_t stream, Bytes data, TimeNs now) = 0;
    virtual void stream_trailers(std::uint32_t stream, std::span<const HeaderField> fields, TimeNs now) = 0;
    virtual void stream_end(std::uint32_t stream, TimeNs now) = 0;
    // code: of the client's RST_STREAM; CANCEL if the stream is given up for another reason.
    virtual void stream_reset(std::uint32_t stream, std::uint32_t code, Reason reason, TimeNs now) = 0;
};

}  // namespace umbra
