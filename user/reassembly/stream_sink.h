// What reassembly hands upward: the client-to-server bytes of one flow, in order, each once.
//
// Order of calls:  open  ( data | gap | server_payload | answer_unseen | half_close )*  close
//   open            on creation of the sink (see StreamObserver), before anything else
//   data            the next bytes; the view is valid during the call only
//   gap             bytes that were never captured lie between the data before and the data after;
//                   the length is a claim about sequence space, nothing was allocated for it
//   server_payload  the server sent payload after having acknowledged exactly the bytes delivered so far
//                   (never called while acknowledged bytes are undelivered); prefix holds its first bytes
//   answer_unseen   what follows the bytes that server_payload was last called at was sent before the client had
//                   seen that payload: it is no reaction to it
//   half_close      the client's FIN was reached in order; no data or gap follows
//   close           exactly once, last; the sink may be destroyed in it by its owner
//
// Bytes: reassembly has counted every byte in its ledger row as seen. With data() the responsibility for those
// bytes passes on: the receiver counts each of them as mirrored or dropped, once. Bytes that reassembly does not
// deliver it counts itself. Flows: from open() on the flow is the sink's to count (seen and mirrored or dropped);
// a flow with client bytes that never got a sink is counted by reassembly, one without client bytes not at all.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ledger.h"
#include "net/ip_address.h"

namespace umbra {

enum class OpenKind : std::uint8_t {
    handshake,  // the SYN-ACK was seen: the first data byte is the connection's first byte
    midstream,  // the flow was open before; the first data byte is anywhere
};

enum class CloseKind : std::uint8_t {
    finished,   // FIN was delivered and the server acknowledged it, or both sides are done
    reset,      // a valid RST of either side
    abandoned,  // reassembly gave up; `reason` says why
    expired,    // idle timeout or eviction; `reason` says which
    shutdown,   // the agent stops
};

class StreamSink {
public:
    virtual ~StreamSink() = default;
    virtual void data(Bytes bytes, TimeNs now) = 0;
    virtual void gap(std::uint32_t length, TimeNs now) = 0;
    virtual void server_payload(Bytes prefix, TimeNs now) = 0;
    virtual void answer_unseen(TimeNs) {}
    virtual void half_close(TimeNs now) = 0;
    virtual void close(CloseKind kind, Reason reason, TimeNs now) = 0;
};

// Creates the sinks. Called once per flow, when its first client bytes are about to be delivered or its first
// event is due; handshakes without client data never get here.
// Returning null refuses the flow: it is forgotten and muted, the observer has counted the flow and why; its bytes
// are dropped as unmatched.
class StreamObserver {
public:
    virtual ~StreamObserver() = default;
    virtual std::unique_ptr<StreamSink> open(const FlowTuple& tuple, OpenKind kind, TimeNs now) = 0;
    // The ledger row that a flow of this server endpoint and client is counted in; null: no rule covers it.
    virtual umbra_ledger_row* row(const FlowTuple& tuple) = 0;
    // Nothing more is wanted of this flow: its cloning may stop.
    virtual void mute(const FlowTuple& tuple) = 0;
};

}  // namespace umbra
