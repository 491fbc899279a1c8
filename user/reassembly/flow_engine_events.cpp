// FlowEngine, second part: what is not a client segment's own arrival.
#include <algorithm>

#include "reassembly/flow_engine.h"
#include "reassembly/server_side.h"

namespace umbra {

void FlowEngine::on_server(Flow& flow, const ServerHeader& header) {
    flow.server_time = header.time;
    flow.repeated = false;
    flow.one_sided = shared_.mode == Mode::one_sided;
    const std::uint32_t sent_before = flow.server_next;
    learn_from_server(flow, header, shared_);
    if (!flow.parked.empty() && flow.server_next != sent_before) replay_parked(flow, 0);
    delivery_.release(flow, header.time);
    register_gap(flow);
    conclude(flow);
}

void FlowEngine::on_adopted(Flow& flow, TimeNs now) {
    replay_parked(flow, 0);
    delivery_.release(flow, now);
    register_gap(flow);
    conclude(flow);
}

void FlowEngine::lacks_syn_data(Flow& flow, std::uint32_t bytes, TimeNs now) {
    const StreamPos end = flow.start;
    flow.start = flow.next = flow.delivered = end - bytes;
    delivery_.gap(flow, end, now);
}

// A hole below the ACK: lost in capture, unless the packets are still to be read.
void FlowEngine::register_gap(Flow& flow) {
    if (!flow.has_gap() || flow.gap_to != 0 || flow.fin_at != 0 || flow.one_sided) return;
    flow.gap_to = flow.acked;
    flow.gap_epoch = shared_.epoch;
}

void FlowEngine::on_drained(Flow& flow, std::uint64_t epoch, TimeNs now) {
    if (epoch < flow.gap_epoch) return;
    const StreamPos to = epoch >= shared_.epoch ? flow.acked : flow.gap_to;
    if (to > flow.next && flow.fin_at == 0 && !flow.one_sided) declare_gap(flow, to, now);
    flow.gap_to = 0;
    register_gap(flow);
    conclude(flow);
    if (flow.server_reset && flow.gap_to == 0 && !flow.ending)
        flow.ending = Ending{flow.half_closed ? CloseKind::finished : CloseKind::reset, Reason::client_closed};
}

void FlowEngine::declare_gap(Flow& flow, StreamPos to, TimeNs now) {
    if (!flow.parked.empty()) replay_parked(flow, to);
    while (!flow.ending && flow.fin_at == 0 && flow.next < to) {
        const StreamPos hole_end = flow.queue.empty() ? to : std::min(to, flow.queue.first_start());
        delivery_.release(flow, now);
        if (!flow.ending && hole_end > flow.next) delivery_.gap(flow, hole_end, now);
        if (flow.next == flow.reset_at) flow.client_reset = true;
        if (!flow.ending) drain_queue(flow, now);
    }
    delivery_.release(flow, now);
}

// A server that is silent may answer on a way that is not seen, or not take what the client says. A client that repeats
// itself tells the second from the first, unless it refers to answers that were not seen.
void FlowEngine::on_wait_timeout(Flow& flow, TimeNs now) {
    expire_parked(flow, now);
    const bool server_silent = flow.server_time + shared_.limits.wait_timeout <= now;
    const bool refused = flow.repeated && flow.parked.empty();
    if (!flow.one_sided && server_silent && !refused && flow.undelivered() && !flow.client_reset) {
        flow.one_sided = true;
        bump(shared_.worker.one_sided_flows);
        replay_parked(flow, 0);
        delivery_.release(flow, now);
    }
    if (flow.one_sided && !flow.queue.empty() && flow.hole_since + shared_.limits.hole_timeout <= now)
        declare_gap(flow, flow.queue.first_start(), now);
    conclude(flow);
    if (flow.client_reset && !flow.ending) flow.ending = Ending{CloseKind::reset, Reason::client_reset};
}

void FlowEngine::park(Flow& flow, const Segment& segment) {
    if (!ensure_room(flow, segment.payload.size(), segment.time))
        return StreamDelivery::drop(flow, Reason::memory, segment.payload.size());
    if (!flow.parked.push(shared_.pool, segment)) {
        StreamDelivery::abandon(flow, Reason::memory);
        return StreamDelivery::drop(flow, Reason::memory, segment.payload.size());
    }
    over_segment_limits(flow);
}

// Each parked segment is looked at once; what must still wait goes back.
void FlowEngine::replay_parked(Flow& flow, StreamPos before) {
    for (std::size_t left = flow.parked.count(); left > 0; --left) {
        ParkedSegment* const parked = flow.parked.pop();
        const bool trust = unwrap(parked->header.seq, flow.next) < before;
        const bool waits = flow.server_known && !flow.one_sided && seq_after(parked->header.ack, flow.server_next);
        if (waits && !trust && (parked->header.flags & kSyn) == 0 && !flow.ending) {
            flow.parked.push_back(parked);
            continue;
        }
        replay(flow, *parked, trust);
        ParkedSegments::destroy(shared_.pool, parked);
    }
}

void FlowEngine::replay(Flow& flow, const ParkedSegment& parked, bool trust_ack) {
    Segment segment;
    static_cast<SegmentHeader&>(segment) = parked.header;
    segment.tuple = flow.tuple;
    const Chunk* chunk = parked.bytes ? parked.bytes->head : nullptr;
    const auto fin = static_cast<std::uint8_t>(parked.header.flags & kFin);
    do {
        const bool last = !chunk || !chunk->next;
        segment.payload = chunk ? chunk->view() : Bytes{};
        segment.flags = static_cast<std::uint8_t>((segment.flags & ~kFin) | (last ? fin : 0));
        process(flow, segment, trust_ack);
        segment.seq += static_cast<std::uint32_t>(segment.payload.size()) + ((segment.flags & kSyn) != 0 ? 1 : 0);
        segment.flags = static_cast<std::uint8_t>(segment.flags & ~kSyn);
        chunk = chunk ? chunk->next : nullptr;
    } while (chunk);
}

// What refers to a server packet that did not come within the wait timeout never will.
void FlowEngine::expire_parked(Flow& flow, TimeNs now) {
    while (const ParkedSegment* const first = flow.parked.front()) {
        if (first->header.time + shared_.limits.wait_timeout > now || flow.has_gap()) return;
        if (flow.server_time + shared_.limits.wait_timeout <= now) return;
        ParkedSegment* const expired = flow.parked.pop();
        StreamDelivery::drop(flow, Reason::out_of_window, expired->size());
        ParkedSegments::destroy(shared_.pool, expired);
    }
}

}  // namespace umbra
