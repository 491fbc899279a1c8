#include "reassembly/server_side.h"

namespace umbra {

namespace {

// No window reaches farther; a jump beyond it belongs to another connection.
constexpr StreamPos kLargestAckJump = StreamPos{1} << 30;

std::uint32_t end_of(const ServerHeader& header) {
    return header.seq + header.payload_len + ((header.flags & kFin) != 0 ? 1 : 0);
}

// A server resets other attempts on the same tuple too: a handshake with a wrong ACK number, for one.
bool reset_is_of_this_flow(const Flow& flow, const ServerHeader& header) {
    if (!flow.server_known || header.seq == flow.server_next) return true;
    if (header.seq == 0 && (header.flags & kAck) != 0) return false;  // the answer to a segment without ACK
    const bool not_before = !seq_before(header.seq, flow.server_client_ack);
    if ((header.flags & kAck) != 0) return not_before && unwrap(header.ack, flow.acked) >= flow.acked;
    return not_before && !seq_after(header.seq, flow.server_next);
}

// Payload of which the first bytes were seen, and that follows all earlier payload, is an answer to all bytes before
// its ACK. Anything less certain proves nothing.
void note_payload(Flow& flow, const ServerHeader& header, ReassemblyShared& shared) {
    if (flow.server_known && !seq_after(end_of(header), flow.server_next)) return;
    const StreamPos at = unwrap(header.ack, flow.acked);
    if (at <= flow.answered_at) return;
    flow.answered_at = at;
    const bool follows = flow.server_known && header.seq == flow.server_next;
    if (!follows || at < flow.delivered || shared.limits.marks.exceeded_by(flow.marks.count() + 1)) return;
    Marks::Mark* const mark = flow.marks.push(shared.pool, at, header.prefix);
    if (!mark) return;
    mark->answer = header.seq;
    // A header is read before the packets of a client that has seen it: what is here already was sent without.
    mark->unseen = flow.next > at || flow.queue.last_end() > at;
}

}  // namespace

void learn_from_server(Flow& flow, const ServerHeader& header, ReassemblyShared& shared) {
    const bool acks = (header.flags & kAck) != 0;
    if ((header.flags & kRst) != 0) {
        if (!reset_is_of_this_flow(flow, header)) return;
        flow.server_reset = true;
        flow.gap_epoch = shared.epoch;
    }
    if (acks) {
        const StreamPos at = unwrap(header.ack, flow.acked);
        if (at > flow.acked && at - flow.acked <= kLargestAckJump) flow.acked = at;
        if ((header.flags & kRst) == 0) {
            flow.window = header.window;
            flow.window_known = true;
        }
        if (header.payload_len > 0) note_payload(flow, header, shared);
    }
    if ((header.flags & kFin) != 0) flow.server_fin = true;
    if (flow.server_reset) return;
    if (!flow.server_known || seq_after(end_of(header), flow.server_next)) flow.server_next = end_of(header);
    flow.server_known = true;
}

}  // namespace umbra
