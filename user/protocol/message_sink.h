// What protocol hands upward: whole requests as the client's own bytes, or a raw byte stream.
//
// Order of calls:
//   HTTP:  ( head bytes* ( end | abort ) )*  close        bytes() includes the head's own bytes
//   raw:   raw_begin raw_bytes* [ raw_half_close ]  close
//   HTTP/2: http2, then the calls of http2_sink.h, close
// A flow is HTTP, HTTP/2 or raw from its first byte on; after an HTTP upgrade the request that upgraded is ended and
// raw_begin follows on the same flow.
//
// Ledger: head() has counted one request as seen (and in flight). With bytes() the responsibility for those bytes
// passes on, as with StreamSink::data(). After abort() the receiver drops the whole request, what it holds of it
// included, under the reason given; nothing of it may look complete to the mirror.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ledger.h"
#include "reassembly/stream_sink.h"

namespace umbra {

class Http2Sink;

// Views into the held head, valid during head() only. Header names as the client wrote them.
struct RequestHead {
    std::string_view method;
    std::string_view target;
    std::string_view authority = {};  // of HTTP/2; HTTP/1 has its Host among the headers
    std::string_view scheme = "http";
    std::uint8_t version_major = 1;
    std::uint8_t version_minor = 1;
    std::size_t size = 0;  // bytes of an HTTP/1 head: the first that bytes() brings
    std::vector<std::pair<std::string_view, std::string_view>> headers = {};
    bool close = false;    // the client asked for the connection's end
    bool upgrade = false;  // Upgrade or CONNECT: raw bytes follow
    bool whole = false;    // the request is at hand: one bytes() with all of it and end() follow at once
};

class MessageSink {
public:
    virtual ~MessageSink() = default;
    // Returns the row that this request is counted in, or null to skip it (the sink has counted why; the splitter
    // then drops the request's bytes as Reason::unmatched and calls neither bytes() nor end()).
    virtual umbra_ledger_row* head(const RequestHead& head, TimeNs now) = 0;
    virtual void bytes(Bytes bytes, TimeNs now) = 0;
    virtual void end(TimeNs now) = 0;
    virtual void abort(Reason reason, TimeNs now) = 0;
    virtual void raw_begin(TimeNs now) = 0;
    virtual void raw_bytes(Bytes bytes, TimeNs now) = 0;
    virtual void raw_half_close(TimeNs now) = 0;
    // The flow speaks HTTP/2, from its first byte on. Null: such flows are not taken. Valid until close().
    virtual Http2Sink* http2(TimeNs) { return nullptr; }
    // reason is meaningful for kinds abandoned and expired only. Requests already ended are still delivered.
    virtual void close(CloseKind kind, Reason reason, TimeNs now) = 0;
};

}  // namespace umbra
