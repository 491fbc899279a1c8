// Reassembler, second part: what server packets do to the tables.
#include "reassembly/reassembler.h"

namespace umbra {

namespace {

constexpr std::uint32_t kTouchedMask = (1u << kTouchedBits) - 1;
constexpr std::int32_t kLargestAckJump = 1 << 30;

std::uint32_t end_of(const ServerHeader& header) {
    const unsigned flags = ((header.flags & kFin) != 0 ? 1u : 0u) + ((header.flags & kSyn) != 0 ? 1u : 0u);
    return header.seq + header.payload_len + flags;
}

void fill_from_syn_ack(Embryo& embryo, const ServerHeader& header) {
    embryo.next = header.ack;
    embryo.server_start = embryo.server_next = header.seq + 1;
    embryo.window_scale = header.options.window_scale.value_or(0) & 0xf;
    embryo.midstream = 0;
    embryo.server_seen = 1;
    embryo.server_fin = 0;
    embryo.answered = 0;
    embryo.timestamps = header.options.tsval.has_value();
    embryo.ts_recent = header.options.tsecr;
    embryo.sack = header.options.sack_permitted;
    embryo.touched = static_cast<std::uint32_t>(header.time / kSecond) & kTouchedMask;
}

// Whether the server had begun to answer before is not known, so its next payload proves nothing.
void fill_midstream(Embryo& embryo, const ServerHeader& header) {
    embryo.next = header.ack;
    embryo.server_start = header.seq;
    embryo.server_next = end_of(header);
    embryo.midstream = 1;
    embryo.server_seen = 1;
    embryo.server_fin = (header.flags & kFin) != 0;
    embryo.answered = 1;
    embryo.touched = static_cast<std::uint32_t>(header.time / kSecond) & kTouchedMask;
}

bool begins_answer(const ParkedSegments& parked, const ServerHeader& header) {
    constexpr std::uint8_t kOther = kSyn | kFin | kRst;
    for (const ParkedSegment* segment = parked.front(); segment; segment = segment->next) {
        const bool plain = (segment->header.flags & (kAck | kOther)) == kAck;
        if (plain && segment->end_seq() == header.ack && segment->header.ack == header.seq) return true;
    }
    return false;
}

}  // namespace

void Reassembler::on_server(const ServerHeader& header) {
    last_time_ = header.time;
    ++shared_.epoch;
    const auto hash = hash_of(header.tuple);
    const auto id = flows_.find(header.tuple, hash);
    const bool syn = (header.flags & kSyn) != 0, ack = (header.flags & kAck) != 0;
    if (id != kNoId && !syn) {
        Flow& flow = flows_[id];
        if (flow.state == FlowState::live) {
            engine_.on_server(flow, header);
        } else if (ack && (header.flags & kRst) == 0) {
            on_first_server_packet(id, header);
        }
        settle(id, header.time);
    } else if (umbra_ledger_row* const row = shared_.observer.row(header.tuple)) {
        if (syn) {
            if (ack) on_syn_ack(header, *row);
        } else if (Embryo* const embryo = embryos_.find(header.tuple, hash)) {
            on_server_embryo(*embryo, header, *row);
        } else if (ClosedFlow* const closed = closed_.find(header.tuple, hash)) {
            closed->touched = static_cast<std::uint32_t>(header.time / kSecond);
            closed_.touch(*closed);
        } else if (ack && (header.flags & kRst) == 0) {
            fill_midstream(insert_light(embryos_, header.tuple), header);
            if (header.payload_len > 0) recent_answers_.add(header, hash);
        }
    }
    publish();
}

// The client's packet that ends where the server acknowledges says how much of the server it had: payload that begins
// right there has nothing before it that was not seen, so it is judged as on a flow whose beginning is known.
void Reassembler::on_first_server_packet(std::uint32_t id, const ServerHeader& header) {
    Embryo embryo;
    fill_midstream(embryo, header);
    const bool known = begins_answer(flows_[id].parked, header);
    if (known) {
        embryo.server_next = header.seq;
        embryo.answered = 0;
    }
    adopt(id, embryo, header.time);
    if (known && flows_[id].state == FlowState::live) engine_.on_server(flows_[id], header);
}

// The same when the answer was read before the packet that it answers.
bool Reassembler::joins_at_answer(const Embryo& embryo, const Segment& segment, umbra_ledger_row& row) {
    const auto answer = recent_answers_.find(segment.tuple, hash_of(segment.tuple));
    const auto end = segment.seq + static_cast<std::uint32_t>(segment.payload.size());
    const bool plain = (segment.flags & (kAck | kSyn | kFin | kRst)) == kAck;
    if (!embryo.midstream || !answer || !plain || answer->ack != embryo.next || answer->seq != embryo.server_start)
        return false;
    if (end != answer->ack || segment.ack != answer->seq) return false;
    const std::uint32_t seen_to = embryo.server_next;  // the embryo goes
    Embryo known = embryo;
    known.server_next = answer->seq;
    known.answered = 0;
    const auto id = hatch(known, row, segment.time);
    if (id == kNoId) {
        ledger_seen(row, &umbra_units::bytes, segment.payload.size());
        ledger_dropped(row, Reason::flow_table, &umbra_units::bytes, segment.payload.size());
        return true;
    }
    Flow& flow = flows_[id];
    if (flow.state == FlowState::live && !flow.ending) {
        engine_.on_server(flow, *answer);
        if (seq_after(seen_to, flow.server_next)) flow.server_next = seen_to;
    }
    on_live(id, segment);
    return true;
}

void Reassembler::on_syn_ack(const ServerHeader& header, umbra_ledger_row& row) {
    const auto hash = hash_of(header.tuple);
    if (ClosedFlow* const closed = closed_.find(header.tuple, hash)) {
        if (closed->start == header.ack) return;
        closed_.erase(*closed);
    }
    if (header.options.mptcp) return refuse_multipath(header, row);
    const auto id = flows_.find(header.tuple, hash);
    if (id != kNoId) return on_syn_ack_for_flow(id, header);
    Embryo* const known = embryos_.find(header.tuple, hash);
    Embryo& embryo = known ? *known : insert_light(embryos_, header.tuple);
    const bool repeated =
        known && !embryo.midstream && embryo.next == header.ack && embryo.server_start == header.seq + 1;
    if (!repeated) fill_from_syn_ack(embryo, header);
    embryos_.touch(embryo);
}

void Reassembler::on_syn_ack_for_flow(std::uint32_t id, const ServerHeader& header) {
    Flow& flow = flows_[id];
    Embryo embryo;
    fill_from_syn_ack(embryo, header);
    embryo.tuple = header.tuple;
    if (flow.state == FlowState::orphan) {
        adopt(id, embryo, header.time);
        return settle(id, header.time);
    }
    if (flow.kind == OpenKind::handshake && flow.synack_ack == header.ack) {
        flow.server_time = header.time;
        if (flow.server_known) return;
        flow.server_start = flow.server_next = embryo.server_start;
        flow.server_client_ack = embryo.server_start;
        flow.window_scale = static_cast<std::uint8_t>(embryo.window_scale);
        flow.server_known = true;
        return;
    }
    umbra_ledger_row& row = *flow.row;
    // Its SYN was read already: nothing of the older one comes any more, and data that came with it are gone.
    const std::uint32_t syn_data = header.ack - flow.refused_syn;
    const bool syn_read = flow.refused_syn != 0 && (syn_data == 0 || syn_data == flow.refused_syn_bytes);
    if (flow.older != kNoId) retire_older(id, header.time);
    const auto newer = hatch(embryo, row, header.time);
    if (newer == kNoId) return;
    flows_[newer].older_epoch = shared_.epoch;
    if (syn_read) {
        retire_older(newer, header.time);
        if (syn_data > 0) engine_.lacks_syn_data(flows_[newer], syn_data, header.time);
    }
    settle(newer, header.time);
}

void Reassembler::refuse_multipath(const ServerHeader& header, umbra_ledger_row& row) {
    const auto hash = hash_of(header.tuple);
    const auto id = flows_.find(header.tuple, hash);
    if (id != kNoId) end(id, {CloseKind::abandoned, Reason::mptcp, false}, header.time);
    if (Embryo* const embryo = embryos_.find(header.tuple, hash)) embryos_.erase(*embryo);
    if (ClosedFlow* const closed = closed_.find(header.tuple, hash)) closed_.erase(*closed);
    ledger_seen(row, &umbra_units::flows);
    ledger_dropped(row, Reason::mptcp, &umbra_units::flows);
    remember_refused(header.tuple, header.ack, Reason::mptcp, header.time);
    shared_.observer.mute(header.tuple);
}

// An ACK beyond what is known of the client: it has sent data, which are read later or were lost.
void Reassembler::on_server_embryo(Embryo& embryo, const ServerHeader& header, umbra_ledger_row& row) {
    const bool reset = (header.flags & kRst) != 0;
    const bool known = header.seq == embryo.server_next || header.seq == embryo.server_start;
    // The answer to something else on the same tuple, a SYN with another number for one.
    if (reset && embryo.server_seen && !known) return;
    const auto ahead = (header.flags & kAck) != 0 ? seq_distance(embryo.next, header.ack) : 0;
    if (ahead > 0 && ahead <= kLargestAckJump) {
        const auto id = hatch(embryo, row, header.time);
        if (id == kNoId) return;
        engine_.on_server(flows_[id], header);
        return settle(id, header.time);
    }
    if (reset) return embryos_.erase(embryo);
    embryo.touched = static_cast<std::uint32_t>(header.time / kSecond) & kTouchedMask;
    embryos_.touch(embryo);
    if (header.payload_len > 0) embryo.answered = 1;
    if ((header.flags & kFin) != 0) embryo.server_fin = 1;
    if (!embryo.server_seen || seq_after(end_of(header), embryo.server_next)) embryo.server_next = end_of(header);
    embryo.server_seen = 1;
}

// Makes the flow live with what the embryo knows.
void Reassembler::adopt(std::uint32_t id, const Embryo& embryo, TimeNs now) {
    Flow& flow = flows_[id];
    flow.state = FlowState::live;
    flow.kind = embryo.midstream ? OpenKind::midstream : OpenKind::handshake;
    flow.one_sided = shared_.mode == Mode::one_sided;
    flow.start = flow.next = flow.delivered = flow.acked = first_position(embryo.next);
    flow.answered_at = embryo.answered ? flow.start : 0;
    flow.synack_ack = embryo.next;
    flow.server_known = embryo.server_seen;
    flow.server_fin = embryo.server_fin;
    flow.server_start = embryo.server_start;
    flow.server_next = embryo.server_next;
    flow.server_client_ack = embryo.server_start;
    flow.window_scale = embryo.midstream ? kLargestWindowScale : static_cast<std::uint8_t>(embryo.window_scale);
    flow.timestamps = embryo.timestamps;
    flow.ts_recent = embryo.ts_recent;
    flow.ts_recent_time = now;
    flow.sack = embryo.sack;
    flow.server_time = now;
    engine_.on_adopted(flow, now);
}

std::uint32_t Reassembler::hatch(const Embryo& embryo, umbra_ledger_row& row, TimeNs now) {
    const Embryo known = embryo;
    if (Embryo* const entry = embryos_.find(known.tuple, hash_of(known.tuple))) embryos_.erase(*entry);
    const auto id = open_flow(known.tuple, row, Home::established, now);
    if (id == kNoId) {
        remember_refused(known.tuple, known.next, Reason::flow_table, now);
        return id;
    }
    adopt(id, known, now);
    return id;
}

}  // namespace umbra
