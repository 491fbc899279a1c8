// Flow: all that reassembly knows of one connection. Data only; FlowEngine gives it its behaviour, Reassembler its
// place in tables and lists. Everything it holds of the pool is released before it goes.
#pragma once

#include <memory>
#include <optional>

#include "reassembly/held_bytes.h"
#include "reassembly/id_list.h"
#include "reassembly/marks.h"
#include "reassembly/parked_segments.h"
#include "reassembly/sack_blocks.h"
#include "reassembly/segment_queue.h"
#include "reassembly/stream_sink.h"

namespace umbra {

enum class FlowState : std::uint8_t {
    orphan,  // client data before any server packet; nothing is known but what is parked
    live,
};

// Why a flow is to be closed.
struct Ending {
    CloseKind kind = CloseKind::finished;
    Reason reason = Reason::duplicate;
    bool unwanted = false;  // its cloning may stop
};

struct Flow {
    FlowTuple tuple;
    umbra_ledger_row* row = nullptr;
    std::unique_ptr<StreamSink> sink;
    std::optional<Ending> ending;

    // The client's stream: start <= delivered <= next. [delivered, next) is held, beyond next is queued.
    StreamPos start = 0;
    StreamPos delivered = 0;
    StreamPos next = 0;
    StreamPos fin_at = 0;  // position of the FIN once it is in order; next is then one more
    // The client's last SYN for another connection: its first byte, and how many it brought.
    std::uint32_t refused_syn = 0;
    std::uint32_t refused_syn_bytes = 0;
    StreamPos fin_claim = 0;  // where the client's first FIN was, in order or not
    StreamPos highest = 0;    // one behind the last byte of any accepted segment
    StreamPos urgent_at = 0;  // the urgent byte that is still to come
    StreamPos reset_at = 0;   // of a RST behind a hole, which counts if the hole is a gap
    HeldBytes held;
    SegmentQueue queue;
    ParkedSegments parked;
    SackBlocks sacks;
    Marks marks;
    std::uint32_t ts_recent = 0;
    TimeNs ts_recent_time = 0;

    // The server's side.
    StreamPos acked = 0;            // its cumulative ACK; start if none was seen
    StreamPos answered_at = 0;      // the ACK of its last new payload
    StreamPos told_at = 0;          // where the sink was last told of an answer
    std::uint32_t told_answer = 0;  // and the server's sequence number there
    std::uint32_t server_start = 0;
    std::uint32_t server_next = 0;
    std::uint32_t server_client_ack = 0;  // what the client acknowledged of it
    std::uint32_t synack_ack = 0;
    std::uint32_t window = 0;
    bool window_known = false;
    std::uint8_t window_scale = 0;

    // A hole below the ACK is final up to gap_to once all packets before server header number gap_epoch were read.
    StreamPos gap_to = 0;
    std::uint64_t gap_epoch = 0;

    TimeNs opened = 0;
    TimeNs touched = 0;
    TimeNs server_time = 0;  // of its last packet
    TimeNs wait_since = 0;
    TimeNs hole_since = 0;  // of the queue's first hole, one-sided
    ListLink home, waiting, draining;
    std::uint32_t older = kNoId;  // the connection before this one on the same tuple, while its last packets are read
    std::uint32_t newer = kNoId;
    std::uint64_t older_epoch = 0;  // server headers after which the older one's packets are all read

    FlowState state = FlowState::live;
    OpenKind kind = OpenKind::handshake;
    bool one_sided = false;  // delivers without the server's ACK
    bool repeated = false;   // since the server's last packet the client has sent again what waits for its ACK
    bool server_known = false;
    bool timestamps = false;  // negotiated
    bool sack = false;        // negotiated
    bool payload_seen = false;
    bool sink_opened = false;
    bool half_closed = false;   // delivered, FIN included
    bool client_reset = false;  // a valid RST was seen; what the server has acknowledged is still delivered
    bool server_fin = false;
    bool server_reset = false;
    bool counted_waiter = false;
    bool counted_one_sided = false;

    bool has_gap() const { return acked > next; }
    bool closing() const { return fin_at != 0 || server_fin || server_reset || client_reset; }
    bool undelivered() const { return !held.empty() || !queue.empty() || !parked.empty() || delivered != next; }
};

}  // namespace umbra
