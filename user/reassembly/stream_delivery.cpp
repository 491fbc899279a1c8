#include "reassembly/stream_delivery.h"

#include <algorithm>

namespace umbra {

void StreamDelivery::drop(Flow& flow, Reason reason, std::size_t bytes) {
    if (bytes > 0) ledger_dropped(*flow.row, reason, &umbra_units::bytes, bytes);
}

void StreamDelivery::abandon(Flow& flow, Reason reason) {
    if (!flow.ending) flow.ending = Ending{CloseKind::abandoned, reason, true};
}

StreamPos StreamDelivery::limit(const Flow& flow) {
    const StreamPos end = flow.fin_at != 0 ? flow.fin_at : flow.next;
    return flow.one_sided ? end : std::min(end, flow.acked);
}

// The observer that refuses a flow has counted it; its bytes have no rule to be mirrored by.
bool StreamDelivery::open_sink(Flow& flow, TimeNs now) {
    if (flow.sink) return true;
    if (flow.sink_opened) return false;
    flow.sink_opened = true;
    flow.sink = shared_.observer.open(flow.tuple, flow.kind, now);
    if (!flow.sink) abandon(flow, Reason::unmatched);
    return flow.sink != nullptr;
}

void StreamDelivery::fire_marks(Flow& flow, TimeNs now) {
    while (!flow.ending && flow.marks.front() && flow.marks.front()->at <= flow.delivered) {
        const Marks::Mark& mark = *flow.marks.front();
        const bool proven_start = flow.kind == OpenKind::midstream && mark.at == flow.delivered;
        if (proven_start && !flow.sink) open_sink(flow, now);
        if (flow.sink && mark.at == flow.delivered) tell(flow, mark, now);
        flow.marks.pop(shared_.pool);
    }
}

void StreamDelivery::tell(Flow& flow, const Marks::Mark& mark, TimeNs now) {
    flow.told_at = mark.at;
    flow.told_answer = mark.answer;
    flow.sink->server_payload(mark.view(), now);
    if (mark.unseen) flow.sink->answer_unseen(now);
}

void StreamDelivery::note_client_ack(Flow& flow, const ByteRun& run, std::uint32_t ack, TimeNs now) {
    const auto goes_on_unseen = [&](StreamPos at, std::uint32_t answer) {
        return run.start <= at && at < run.end() && !seq_after(ack, answer);
    };
    for (Marks::Mark* mark = flow.marks.front(); mark && mark->at < run.end(); mark = mark->next)
        if (goes_on_unseen(mark->at, mark->answer)) mark->unseen = true;
    if (flow.told_at != 0 && flow.sink && goes_on_unseen(flow.told_at, flow.told_answer)) flow.sink->answer_unseen(now);
}

// Up to the next mark or urgent byte.
std::size_t StreamDelivery::deliverable_at_once(Flow& flow, std::size_t wanted) {
    StreamPos end = flow.delivered + wanted;
    if (const auto* mark = flow.marks.front()) end = std::min(end, mark->at);
    if (flow.urgent_at >= flow.delivered) end = std::min(end, flow.urgent_at);
    return end - flow.delivered;
}

void StreamDelivery::emit(Flow& flow, Bytes bytes, TimeNs now) {
    while (!bytes.empty()) {
        fire_marks(flow, now);
        if (!open_sink(flow, now) || flow.ending) break;
        std::size_t count = deliverable_at_once(flow, bytes.size());
        if (count > 0) {
            flow.sink->data(bytes.first(count), now);
        } else {
            count = 1;
            flow.urgent_at = 0;
            drop(flow, Reason::urgent, 1);
        }
        flow.delivered += count;
        bytes = bytes.subspan(count);
    }
    if (bytes.empty()) return;
    drop(flow, flow.ending->reason, bytes.size());
    flow.delivered += bytes.size();
}

void StreamDelivery::release(Flow& flow, TimeNs now) {
    if (flow.ending) return;
    fire_marks(flow, now);
    const StreamPos end = limit(flow);
    while (!flow.held.empty() && flow.delivered < end) {
        const Bytes front = flow.held.front();
        const std::size_t count = std::min<std::size_t>(front.size(), end - flow.delivered);
        emit(flow, front.first(count), now);
        flow.held.pop(shared_.pool, count);
    }
    const bool fin_due = flow.fin_at != 0 && flow.delivered == flow.fin_at && !flow.half_closed;
    if (!flow.ending && fin_due && (flow.one_sided || flow.acked > flow.fin_at)) {
        fire_marks(flow, now);
        flow.half_closed = true;
        flow.delivered = flow.next;
        if (flow.sink) flow.sink->half_close(now);
    }
    fire_marks(flow, now);
}

void StreamDelivery::gap(Flow& flow, StreamPos to, TimeNs now) {
    fire_marks(flow, now);
    const StreamPos length = to - flow.next;
    flow.next = to;
    if (!open_sink(flow, now) || flow.ending) return;
    flow.delivered = to;
    flow.sink->gap(static_cast<std::uint32_t>(length), now);
}

namespace {

struct Leftovers {
    Reason held, queued, parked;
};

Leftovers leftover_reasons(const Flow& flow, const Ending& ending) {
    switch (ending.kind) {
        case CloseKind::abandoned:
        case CloseKind::expired:
            return {ending.reason, ending.reason, ending.reason};
        case CloseKind::shutdown:
            return {Reason::shutdown, Reason::shutdown, Reason::shutdown};
        case CloseKind::reset:
            return {Reason::unacknowledged, flow.client_reset ? Reason::client_reset : Reason::unacknowledged,
                    Reason::out_of_window};
        case CloseKind::finished:
            break;
    }
    return {Reason::unacknowledged, Reason::out_of_window, Reason::out_of_window};
}

}  // namespace

void StreamDelivery::drop_leftovers(Flow& flow, const Ending& ending) {
    const Leftovers reasons = leftover_reasons(flow, ending);
    drop(flow, reasons.held, flow.held.clear(shared_.pool));
    drop(flow, reasons.queued, flow.queue.clear(shared_.pool));
    drop(flow, reasons.parked, flow.parked.clear(shared_.pool));
    flow.marks.clear(shared_.pool);
    if (flow.sink_opened || !flow.payload_seen) return;
    ledger_seen(*flow.row, &umbra_units::flows);
    ledger_dropped(*flow.row, reasons.held, &umbra_units::flows);
}

void StreamDelivery::close(Flow& flow, const Ending& ending, TimeNs now) {
    drop_leftovers(flow, ending);
    if (flow.sink) flow.sink->close(ending.kind, ending.reason, now);
    flow.sink.reset();
    if (ending.unwanted) shared_.observer.mute(flow.tuple);
}

}  // namespace umbra
