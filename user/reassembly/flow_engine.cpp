#include "reassembly/flow_engine.h"

#include <algorithm>

#include "flow/tuple_hash.h"
#include "reassembly/receiver.h"

namespace umbra {

namespace {

constexpr StreamPos kLargestSynData = 64 << 10;

}  // namespace

void FlowEngine::on_segment(Flow& flow, const Segment& segment) {
    process(flow, segment, false);
    delivery_.release(flow, segment.time);
    conclude(flow);
}

void FlowEngine::process(Flow& flow, const Segment& segment, bool trust_ack) {
    if (flow.ending) return StreamDelivery::drop(flow, flow.ending->reason, segment.payload.size());
    if (rewinds_to_syn(flow, segment)) return;
    const Judgement judgement = judge(flow, segment, shared_.limits);
    switch (judgement.kind) {
        case Judgement::drop:
            note_refused_syn(flow, segment);
            return StreamDelivery::drop(flow, judgement.reason, segment.payload.size());
        case Judgement::reset:
        case Judgement::finish:
            flow.client_reset = true;
            return StreamDelivery::drop(flow, Reason::client_reset, segment.payload.size());
        case Judgement::give_up:
            StreamDelivery::abandon(flow, judgement.reason);
            return StreamDelivery::drop(flow, judgement.reason, segment.payload.size());
        case Judgement::reset_behind_gap:
            flow.reset_at = unwrap(segment.seq, flow.next);
            return StreamDelivery::drop(flow, Reason::client_reset, segment.payload.size());
        case Judgement::park:
            if (!trust_ack) return park(flow, segment);
            break;
        case Judgement::accept:
            if (seq_after(segment.ack, flow.server_client_ack)) flow.server_client_ack = segment.ack;
            break;
    }
    receive(flow, segment);
}

// Fast Open: the SYN-ACK covered data that came with a SYN, all of it, and a SYN is read only now. If it is another
// one, the data were not captured: nothing that looks like them later is them.
bool FlowEngine::rewinds_to_syn(Flow& flow, const Segment& segment) {
    if ((segment.flags & (kSyn | kAck | kRst | kFin)) != kSyn) return false;
    if (flow.kind != OpenKind::handshake || flow.sink_opened || flow.next != flow.start) return false;
    if (shared_.recent_syns.seen(tuple_hash(flow.tuple, shared_.limits.hash_seed), flow.synack_ack)) return false;
    const StreamPos first = unwrap(segment.seq + 1, flow.start);
    if (first >= flow.start || flow.start - first > kLargestSynData) return false;
    if (first + segment.payload.size() == flow.start) {
        flow.start = flow.next = flow.delivered = first;
        take(flow, {first, segment.payload, false}, segment.time);
        register_gap(flow);
    } else {
        lacks_syn_data(flow, static_cast<std::uint32_t>(flow.start - first), segment.time);
        StreamDelivery::drop(flow, Reason::out_of_window, segment.payload.size());
    }
    return true;
}

void FlowEngine::note_refused_syn(Flow& flow, const Segment& segment) {
    const std::uint32_t first = segment.seq + 1;
    const auto bytes = static_cast<std::uint32_t>(segment.payload.size());
    if ((segment.flags & (kSyn | kAck | kRst)) != kSyn || first == flow.synack_ack) return;
    if (first == flow.refused_syn && bytes <= flow.refused_syn_bytes) return;
    flow.refused_syn = first;
    flow.refused_syn_bytes = bytes;
}

void FlowEngine::receive(Flow& flow, const Segment& segment) {
    update_timestamp(flow, segment);
    if ((segment.flags & kUrg) != 0) on_urgent(flow, segment);
    if (flow.ending) return StreamDelivery::drop(flow, flow.ending->reason, segment.payload.size());
    const ByteRun run{unwrap(segment.seq, flow.next), segment.payload, (segment.flags & kFin) != 0};
    if (moves_fin(flow, run)) return StreamDelivery::drop(flow, flow.ending->reason, segment.payload.size());
    delivery_.note_client_ack(flow, run, segment.ack, segment.time);
    take(flow, run, segment.time);
}

// A stream has one end: bytes behind a FIN, or a FIN elsewhere, contradict it. Which of the two counts depends on
// what the server refused for reasons that do not show here.
bool FlowEngine::moves_fin(Flow& flow, const ByteRun& run) {
    if (run.bytes_end() < flow.start) return false;  // of the connection before this one
    if (run.fin && flow.fin_claim == 0) flow.fin_claim = run.bytes_end();
    flow.highest = std::max(flow.highest, run.bytes_end());
    const bool moved =
        flow.fin_claim != 0 && (flow.highest > flow.fin_claim || (run.fin && run.bytes_end() != flow.fin_claim));
    if (moved && shared_.limits.on_conflict == ConflictPolicy::drop)
        StreamDelivery::abandon(flow, Reason::overlap_conflict);
    return flow.ending.has_value();
}

// As tcp_check_urg() does: the pointer counts if it points at a byte that is still to come.
void FlowEngine::on_urgent(Flow& flow, const Segment& segment) {
    const std::uint32_t offset = segment.urgent_pointer > 0 ? segment.urgent_pointer - 1u : 0;
    const StreamPos at = unwrap(segment.seq, flow.next) + offset;
    if (shared_.limits.on_urgent == UrgentPolicy::drop) {
        if (at >= flow.delivered) StreamDelivery::abandon(flow, Reason::urgent);
        return;
    }
    if (at < flow.next || (flow.urgent_at != 0 && at <= flow.urgent_at)) return;
    if (flow.urgent_at == flow.delivered && !flow.held.empty()) {
        flow.held.pop(shared_.pool, 1);
        ++flow.delivered;
        StreamDelivery::drop(flow, Reason::urgent, 1);
    }
    flow.urgent_at = at;
}

void FlowEngine::take(Flow& flow, const ByteRun& run, TimeNs now) {
    if (run.start < flow.next && run.end() > flow.delivered) flow.repeated = true;
    if (flow.fin_at != 0) return drop_behind_fin(flow, run);
    if (run.start < flow.next) drop_old(flow, run);
    if (flow.ending) {
        const ByteRun rest = run.tail_from(flow.next);
        return StreamDelivery::drop(flow, flow.ending->reason, rest.bytes.size());
    }
    if (run.end() <= flow.next) return;
    if (run.start > flow.next) return enqueue(flow, run, now);
    take_in_order(flow, run.tail_from(flow.next), now);
}

// Counts the bytes of `run` before flow.next. A keep-alive probe, whose byte is garbage by design, repeats a byte that
// was acknowledged, so it is not held any more.
void FlowEngine::drop_old(Flow& flow, const ByteRun& run) {
    const std::size_t old = std::min<std::size_t>(run.bytes.size(), flow.next - run.start);
    const std::size_t before = run.start < flow.start ? std::min<std::size_t>(old, flow.start - run.start) : 0;
    const ByteRun compared{run.start, run.bytes.first(old), false};
    const bool contradiction = flow.held.contradicts(compared);
    const bool joined = flow.kind == OpenKind::midstream;
    StreamDelivery::drop(flow, joined ? Reason::midstream : Reason::duplicate, before);
    StreamDelivery::drop(flow, contradiction ? Reason::overlap_conflict : Reason::duplicate, old - before);
    if (contradiction && shared_.limits.on_conflict == ConflictPolicy::drop)
        StreamDelivery::abandon(flow, Reason::overlap_conflict);
}

void FlowEngine::drop_behind_fin(Flow& flow, const ByteRun& run) {
    const std::size_t old =
        run.start < flow.fin_at ? std::min<std::size_t>(run.bytes.size(), flow.fin_at - run.start) : 0;
    StreamDelivery::drop(flow, Reason::duplicate, old);
    StreamDelivery::drop(flow, Reason::out_of_window, run.bytes.size() - old);
}

void FlowEngine::drop_displaced(Flow& flow, const OverlapResult& result) {
    StreamDelivery::drop(flow, result.contradiction ? Reason::overlap_conflict : Reason::duplicate, result.displaced);
    if (result.contradiction && shared_.limits.on_conflict == ConflictPolicy::drop)
        StreamDelivery::abandon(flow, Reason::overlap_conflict);
}

void FlowEngine::take_in_order(Flow& flow, const ByteRun& run, TimeNs now) {
    drop_displaced(flow, flow.queue.supersede(shared_.pool, run));
    flow.sacks.advance(run.end());
    if (flow.ending) return StreamDelivery::drop(flow, flow.ending->reason, run.bytes.size());
    store_or_emit(flow, run.bytes, now);
    if (flow.ending) return;
    if (run.fin) return reach_fin(flow);
    drain_queue(flow, now);
}

void FlowEngine::store_or_emit(Flow& flow, Bytes bytes, TimeNs now) {
    const StreamPos start = flow.next;
    flow.next += bytes.size();
    if (flow.held.empty() && flow.delivered == start) {
        const StreamPos end = StreamDelivery::limit(flow);
        const Bytes ready = bytes.first(end > start ? std::min<std::size_t>(bytes.size(), end - start) : 0);
        delivery_.emit(flow, ready, now);
        bytes = bytes.subspan(ready.size());
    }
    if (bytes.empty()) return;
    if (!flow.ending && shared_.limits.unacked_bytes.exceeded_by(flow.held.size() + bytes.size()))
        StreamDelivery::abandon(flow, Reason::unacknowledged);
    if (flow.ending || !ensure_room(flow, bytes.size(), now))
        return StreamDelivery::drop(flow, flow.ending->reason, bytes.size());
    const std::size_t before = flow.held.size();
    if (flow.held.append(shared_.pool, {flow.next - bytes.size(), bytes, false})) return;
    StreamDelivery::abandon(flow, Reason::memory);
    StreamDelivery::drop(flow, Reason::memory, bytes.size() - (flow.held.size() - before));
}

void FlowEngine::enqueue(Flow& flow, const ByteRun& run, TimeNs now) {
    if (run.bytes.empty() && !run.fin) return;
    if (!ensure_room(flow, run.bytes.size(), now)) return StreamDelivery::drop(flow, Reason::memory, run.bytes.size());
    if (flow.queue.empty()) flow.hole_since = now;
    const std::size_t before = flow.queue.count();
    const OverlapResult result = flow.queue.insert(shared_.pool, run);
    drop_displaced(flow, result);
    if (result.exhausted) StreamDelivery::abandon(flow, Reason::memory);
    const bool queued = flow.queue.count() != before || result.displaced < run.bytes.size();
    if (queued && in_window(flow, run)) flow.sacks.add(run.start, run.end());
    over_segment_limits(flow);
}

// As far as is known; what the server refuses for its window it does not report to the client either.
bool FlowEngine::in_window(const Flow& flow, const ByteRun& run) {
    return !flow.window_known || run.end() <= flow.acked + (StreamPos{flow.window} << flow.window_scale);
}

bool FlowEngine::over_segment_limits(Flow& flow) {
    if (shared_.limits.segments.exceeded_by(flow.queue.count() + flow.parked.count()))
        StreamDelivery::abandon(flow, Reason::ooo_segments);
    if (shared_.limits.ooo_bytes.exceeded_by(flow.queue.bytes() + flow.parked.bytes()))
        StreamDelivery::abandon(flow, Reason::ooo_bytes);
    return flow.ending.has_value();
}

void FlowEngine::drain_queue(Flow& flow, TimeNs now) {
    if (flow.queue.empty()) return;
    std::size_t displaced = 0;
    while (Extent* const extent = flow.queue.pop_ready(shared_.pool, flow.next, displaced)) {
        const bool fin = extent->fin;
        const std::size_t size = extent->size(), before = flow.held.size();
        flow.next += size;
        if (!flow.held.adopt(shared_.pool, extent)) {
            StreamDelivery::abandon(flow, Reason::memory);
            StreamDelivery::drop(flow, Reason::memory, size - (flow.held.size() - before));
            break;
        }
        if (fin) {
            reach_fin(flow);
            break;
        }
    }
    StreamDelivery::drop(flow, Reason::duplicate, displaced);
    flow.sacks.advance(flow.next);
    flow.hole_since = now;
}

// Nothing behind the FIN is ever read.
void FlowEngine::reach_fin(Flow& flow) {
    flow.fin_at = flow.next++;
    StreamDelivery::drop(flow, Reason::out_of_window, flow.queue.clear(shared_.pool));
    flow.sacks.clear();
}

void FlowEngine::conclude(Flow& flow) {
    if (flow.ending) return;
    const bool all_acked = flow.one_sided || flow.acked >= flow.next;
    if (flow.client_reset && all_acked)
        flow.ending = Ending{flow.half_closed ? CloseKind::finished : CloseKind::reset, Reason::client_reset};
    else if (flow.half_closed && (flow.server_fin || !flow.server_known))
        flow.ending = Ending{CloseKind::finished, Reason::client_closed};
}

bool FlowEngine::ensure_room(Flow& flow, std::size_t bytes, TimeNs now) {
    const bool forced = shared_.limits.memory.forced();
    while (forced || !shared_.pool.has_room(bytes)) {
        if (!forced && reclaimer_.reclaim(flow, bytes, now)) continue;
        StreamDelivery::abandon(flow, Reason::memory);
        return false;
    }
    return true;
}

}  // namespace umbra
