#include "reassembly/reassembler.h"

#include <algorithm>

namespace umbra {

namespace {

constexpr std::int32_t kLargestSynData = 64 << 10;

bool is_plain_syn(const Segment& segment) { return (segment.flags & (kSyn | kAck | kRst | kFin)) == kSyn; }

// A server acknowledges a SYN alone, or with all data that it brought (Fast Open).
bool is_syn_of(const Segment& segment, std::uint32_t acknowledged) {
    const std::uint32_t ahead = acknowledged - (segment.seq + 1);
    return is_plain_syn(segment) && (ahead == 0 || ahead == segment.payload.size());
}

void drop(umbra_ledger_row& row, Reason reason, const Segment& segment) {
    if (!segment.payload.empty()) ledger_dropped(row, reason, &umbra_units::bytes, segment.payload.size());
}

}  // namespace

Reassembler::Reassembler(const ReassemblyLimits& limits, Mode mode, StreamObserver& observer, umbra_worker_row& worker)
    : shared_{limits, mode, observer, worker, SlabPool(limits.memory), {}},
      engine_(shared_, *this),
      flows_(limits.hash_seed),
      embryos_(limits.embryos, limits.hash_seed),
      closed_(limits.closed_flows, limits.hash_seed) {}

Reassembler::~Reassembler() {
    if (!abandoned_) shutdown(last_time_);
}

void Reassembler::on_segment(const Segment& segment) {
    last_time_ = segment.time;
    const auto hash = hash_of(segment.tuple);
    if (is_plain_syn(segment) && segment.payload.empty()) shared_.recent_syns.note(hash, segment.seq + 1);
    const auto id = flows_.find(segment.tuple, hash);
    if (id != kNoId) {
        route(id, segment);
    } else {
        on_stateless(segment);
    }
    publish();
}

// Two connections of one tuple: the older one's last packets may still be on their way when the server's answer to
// the newer one has been read. The SYN separates them.
void Reassembler::route(std::uint32_t id, const Segment& segment) {
    const Flow& flow = flows_[id];
    if (flow.older == kNoId) return on_live(id, segment);
    const Flow& older = flows_[flow.older];
    const auto start = static_cast<std::uint32_t>(flow.start);
    const bool newer_syn = is_syn_of(segment, start);
    const StreamPos at = unwrap(segment.seq, older.next);
    const bool repeated = at >= older.start && at < std::max(older.acked, older.next + 1);
    const bool newer_data = segment.seq == start && !repeated;
    if (!newer_syn && !newer_data) return on_live(flow.older, segment);
    retire_older(id, segment.time);
    on_live(id, segment);
}

void Reassembler::on_live(std::uint32_t id, const Segment& segment) {
    Flow& flow = flows_[id];
    if (!segment.payload.empty()) {
        ledger_seen(*flow.row, &umbra_units::bytes, segment.payload.size());
        flow.payload_seen = true;
    }
    if (flow.state == FlowState::orphan) {
        on_orphan(id, segment);
    } else {
        engine_.on_segment(flow, segment);
    }
    settle(id, segment.time);
}

void Reassembler::on_orphan(std::uint32_t id, const Segment& segment) {
    Flow& flow = flows_[id];
    if (shared_.mode == Mode::one_sided && !flow.parked.empty()) return on_syn_data_orphan(id, segment);
    const bool useful =
        (segment.flags & kRst) == 0 && (!segment.payload.empty() || (segment.flags & (kFin | kUrg)) != 0);
    if (!useful || shared_.limits.orphan_bytes.exceeded_by(flow.parked.bytes() + segment.payload.size()))
        return drop(*flow.row, Reason::no_handshake, segment);
    engine_.park(flow, segment);
}

// One-sided, data came with the SYN: the server took it if the client goes on behind it.
void Reassembler::on_syn_data_orphan(std::uint32_t id, const Segment& segment) {
    Flow& flow = flows_[id];
    const ParkedSegment& syn = *flow.parked.front();
    if ((segment.flags & (kSyn | kAck)) != kAck || (segment.payload.empty() && (segment.flags & kFin) == 0))
        return drop(*flow.row, Reason::unacknowledged, segment);
    Embryo embryo;
    embryo.next = seq_before(segment.seq, syn.end_seq()) ? syn.first_seq() : syn.end_seq();
    embryo.timestamps = syn.header.options.tsval.has_value();
    embryo.ts_recent = syn.header.options.tsval.value_or(0);
    embryo.sack = syn.header.options.sack_permitted;
    adopt(id, embryo, segment.time);
    if (!flow.ending) return engine_.on_segment(flow, segment);
    drop(*flow.row, flow.ending->reason, segment);
}

void Reassembler::on_stateless(const Segment& segment) {
    umbra_ledger_row* const row = shared_.observer.row(segment.tuple);
    if (!row) return;
    if (Embryo* const embryo = find_light(embryos_, shared_.limits.embryos, segment.tuple))
        return on_embryo(*embryo, segment, *row);
    if (!segment.payload.empty()) ledger_seen(*row, &umbra_units::bytes, segment.payload.size());
    if (ClosedFlow* const closed = find_light(closed_, shared_.limits.closed_flows, segment.tuple))
        return on_closed(*closed, segment, *row);
    on_unknown(segment, *row);
}

void Reassembler::on_embryo(Embryo& embryo, const Segment& segment, umbra_ledger_row& row) {
    const bool syn = is_plain_syn(segment);
    const auto ahead = seq_distance(segment.seq + 1, embryo.next);
    const bool syn_data_taken = syn && embryo.server_seen && ahead > 0 && ahead <= kLargestSynData &&
                                !shared_.recent_syns.seen(hash_of(segment.tuple), embryo.next);
    const bool carries = !segment.payload.empty() || (segment.flags & (kFin | kUrg)) != 0;
    const bool opens = syn_data_taken || (!syn && (segment.flags & kAck) != 0 && carries);
    if (opens && (segment.flags & kRst) == 0) {
        if (joins_at_answer(embryo, segment, row)) return;
        const auto id = hatch(embryo, row, segment.time);
        if (id != kNoId) return on_live(id, segment);
    }
    if (!segment.payload.empty()) ledger_seen(row, &umbra_units::bytes, segment.payload.size());
    if (opens && (segment.flags & kRst) == 0) return drop(row, Reason::flow_table, segment);
    const bool old = embryo.timestamps && segment.options.tsval && seq_before(*segment.options.tsval, embryo.ts_recent);
    const bool refused = old || segment.options.md5 || segment.options.malformed;
    if ((segment.flags & kRst) != 0 && segment.seq == embryo.next && !refused) {
        drop(row, Reason::client_reset, segment);
        return embryos_.erase(embryo);
    }
    if (!syn) return drop(row, carries ? Reason::bad_header : Reason::out_of_window, segment);
    if (shared_.mode == Mode::one_sided && ahead != 0) {
        embryos_.erase(embryo);
        return on_one_sided_syn(segment, row);
    }
    drop(row, Reason::unacknowledged, segment);
}

void Reassembler::on_closed(ClosedFlow& closed, const Segment& segment, umbra_ledger_row& row) {
    // Data of a new connection may be read before the server's answer to its SYN.
    const bool reopens = shared_.mode == Mode::one_sided || !closed.abandoned;
    if (reopens && is_plain_syn(segment) && segment.seq + 1 != closed.start) {
        closed_.erase(closed);
        return on_unknown(segment, row);
    }
    closed.touched = static_cast<std::uint32_t>(segment.time / kSecond);
    closed_.touch(closed);
    const bool old = seq_before(segment.seq, closed.end);
    drop(row, closed.abandoned ? closed.reason : (old ? Reason::duplicate : Reason::out_of_window), segment);
}

// In strict mode the server's packets may be read later than the client's, so data waits a moment for them.
void Reassembler::on_unknown(const Segment& segment, umbra_ledger_row& row) {
    if (shared_.mode == Mode::one_sided && is_plain_syn(segment)) return on_one_sided_syn(segment, row);
    const bool may_open = is_plain_syn(segment) || (segment.flags & (kAck | kSyn | kRst)) == kAck;
    if (shared_.mode == Mode::one_sided || segment.payload.empty() || !may_open)
        return drop(row, Reason::no_handshake, segment);
    const auto id = open_flow(segment.tuple, row, Home::orphans, segment.time);
    if (id == kNoId) return drop(row, Reason::flow_table, segment);
    flows_[id].payload_seen = true;
    engine_.park(flows_[id], segment);
    settle(id, segment.time);
}

void Reassembler::on_one_sided_syn(const Segment& segment, umbra_ledger_row& row) {
    if (!segment.payload.empty() && shared_.limits.fast_open) {
        const auto id = open_flow(segment.tuple, row, Home::orphans, segment.time);
        if (id == kNoId) return drop(row, Reason::flow_table, segment);
        flows_[id].payload_seen = true;
        engine_.park(flows_[id], segment);
        return settle(id, segment.time);
    }
    drop(row, Reason::unacknowledged, segment);
    Embryo& embryo = insert_light(embryos_, segment.tuple);
    embryo.next = segment.seq + 1;
    embryo.timestamps = segment.options.tsval.has_value();
    embryo.ts_recent = segment.options.tsval.value_or(0);
    embryo.sack = segment.options.sack_permitted;
    embryo.touched = static_cast<std::uint32_t>(segment.time / kSecond) & ((1u << kTouchedBits) - 1);
}

}  // namespace umbra
