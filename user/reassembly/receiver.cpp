#include "reassembly/receiver.h"

#include <algorithm>

namespace umbra {

namespace {

constexpr TimeNs kPawsLifetime = 24ULL * 24 * 3600 * kSecond;
constexpr std::int32_t kPawsTolerance = 1;

bool timestamp_is_old(const Flow& flow, const Segment& segment, std::int32_t tolerance) {
    if (!flow.timestamps || !segment.options.tsval || flow.ts_recent == 0) return false;
    if (seq_distance(*segment.options.tsval, flow.ts_recent) <= tolerance) return false;
    return segment.time < flow.ts_recent_time + kPawsLifetime;
}

// The last byte that the server has confirmed to the client, as far as is known.
StreamPos last_ack_sent(const Flow& flow) { return flow.one_sided ? flow.next : std::min(flow.next, flow.acked); }

std::uint64_t hole_limit(const Flow& flow, const ReassemblyLimits& limits) {
    const bool first_window = flow.kind == OpenKind::handshake && flow.server_known;  // that of a SYN-ACK has no scale
    const std::uint64_t unknown = first_window ? 0 : kUnknownWindow;
    const std::uint64_t window = flow.window != 0 ? std::uint64_t{flow.window} << flow.window_scale : unknown;
    return std::min<std::uint64_t>(std::max<std::uint64_t>(window, kSmallestHole), limits.hole_bytes);
}

Judgement judge_reset(const Flow& flow, StreamPos at) {
    if (at == flow.next) return {flow.half_closed ? Judgement::finish : Judgement::reset, Reason::client_reset};
    if (flow.fin_at == 0 && flow.sack && flow.sacks.right_edge() == at) return {Judgement::reset, Reason::client_reset};
    // The server had all before the RST, or has got it since: known when that was read, or is known to be lost.
    if (flow.acked > flow.next && at == flow.acked) return {Judgement::reset_behind_gap, Reason::client_reset};
    return {Judgement::drop, Reason::out_of_window};
}

bool acks_what_was_never_sent(const Flow& flow, const Segment& segment) {
    return seq_after(segment.ack, flow.server_next);
}

StreamPos end_of(const Flow& flow, const Segment& segment) {
    return unwrap(segment.seq, flow.next) + segment.payload.size() + ((segment.flags & kFin) != 0 ? 1 : 0);
}

// Which timestamp counts depends on bare ACKs, which are not cloned, and on when the server sent its ACKs. In strict
// mode the server has the last word: what it acknowledged and nothing else fills, this segment does.
Judgement judge_old_timestamp(const Flow& flow, const Segment& segment) {
    const bool certain = flow.one_sided || !flow.server_known || (segment.flags & kSyn) != 0;
    if (certain || end_of(flow, segment) <= flow.next) return {Judgement::drop, Reason::paws};
    return {Judgement::park, Reason::paws};
}

// What no client sends, and what the server makes of it does not show. No ACK number of this connection: Linux takes
// such data on its fast path and refuses it elsewhere. Malformed options: kernels with MD5 or AO signatures refuse
// them.
Judgement judge_doubtful(const Flow& flow, const Segment& segment, const ReassemblyLimits& limits) {
    const bool strict = limits.on_conflict == ConflictPolicy::drop;
    const bool points = strict && (segment.flags & kUrg) != 0;  // an urgent pointer takes a byte that is still to come
    if (end_of(flow, segment) <= flow.next && !points) return {Judgement::drop, Reason::out_of_window};
    return {strict ? Judgement::give_up : Judgement::park, Reason::out_of_window};
}

}  // namespace

Judgement judge(const Flow& flow, const Segment& segment, const ReassemblyLimits& limits) {
    const bool reset = (segment.flags & kRst) != 0, syn = (segment.flags & kSyn) != 0;
    if (flow.client_reset) return {Judgement::drop, Reason::out_of_window};
    const bool doubtful_reset = reset && segment.options.malformed && !flow.one_sided;
    if ((segment.flags & (kAck | kRst | kSyn)) == 0 || segment.options.md5 || doubtful_reset)
        return {Judgement::drop, Reason::bad_header};
    if (!reset && timestamp_is_old(flow, segment, kPawsTolerance)) return judge_old_timestamp(flow, segment);
    const StreamPos at = unwrap(segment.seq, flow.next);
    if (reset) return judge_reset(flow, at);
    if (at > std::max(flow.next, flow.acked) + hole_limit(flow, limits) || limits.hole_bytes.forced())
        return {Judgement::drop, Reason::out_of_window};
    if (syn) return {Judgement::drop, Reason::out_of_window};
    if (!flow.one_sided && flow.server_known) {
        if (flow.kind == OpenKind::handshake && seq_before(segment.ack, flow.server_start))
            return judge_doubtful(flow, segment, limits);
        if (segment.options.malformed) return judge_doubtful(flow, segment, limits);
        if (acks_what_was_never_sent(flow, segment)) return {Judgement::park};
    }
    return {};
}

void update_timestamp(Flow& flow, const Segment& segment) {
    if (!flow.timestamps || !segment.options.tsval) return;
    if (unwrap(segment.seq, flow.next) > last_ack_sent(flow) || end_of(flow, segment) < last_ack_sent(flow)) return;
    if (timestamp_is_old(flow, segment, 0)) return;
    flow.ts_recent = *segment.options.tsval;
    flow.ts_recent_time = segment.time;
}

}  // namespace umbra
