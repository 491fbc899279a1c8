#include "terminator/limit_table.h"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "base/limit_value.h"
#include "protocol/boundary_proof.h"
#include "replay/tls_context.h"
#include "terminator/descriptor_message.h"
#include "terminator/plan_message.h"

namespace umbra {

namespace {

constexpr std::size_t kMiB = 1024 * 1024;
constexpr std::size_t kProcessMemory = 192 * kMiB;  // for each of reassembly and replay
constexpr std::size_t kWorkerMemory = 24 * kMiB;    // but a worker has at least this
constexpr std::size_t kProcessBandwidth = 1024 * kMiB;
constexpr std::size_t kWorkerBandwidth = 256 * kMiB;  // flows may gather on one worker

using Kind = LimitKind;

using Reassembly = ReassemblyLimits;
using Replay = ReplayLimits;
using Protocol = ProtocolLimits;

static_assert(std::is_same_v<TimeNs, std::uint64_t>);

using Field = std::variant<Bound Reassembly::*, TimeNs Reassembly::*, Bound Replay::*, TimeNs Replay::*,
                           Bound Protocol::*, Bound wire::ChunkedLimits::*>;

struct Limit {
    const char* name;
    Kind kind;
    Field field;
    Action action;
    const char* counter;
    const char* meaning;
};

const Limit kLimits[] = {
    // Flows of a worker.
    {"flows", Kind::count, &Reassembly::flows, Action::refuse_flow, "flow_table", "flows of a worker"},
    {"handshakes", Kind::count, &Reassembly::embryos, Action::skip, "midstream",
     "handshakes of a worker without client data yet; past it the oldest is forgotten"},
    {"orphans", Kind::count, &Reassembly::orphans, Action::forget_oldest, "no_handshake",
     "flows of a worker whose server was not seen yet"},
    {"closed_flows", Kind::count, &Reassembly::closed_flows, Action::forget_oldest, "no_handshake",
     "closed flows that a worker remembers, to know what comes late"},
    {"reassembly_memory", Kind::bytes, &Reassembly::memory, Action::abandon_flow, "memory",
     "reassembly memory of a worker; past it the flow that waits longest goes"},
    // One flow.
    {"flow_segments", Kind::count, &Reassembly::segments, Action::abandon_flow, "ooo_segments",
     "out-of-order segments of a flow"},
    {"flow_ooo", Kind::bytes, &Reassembly::ooo_bytes, Action::abandon_flow, "ooo_bytes",
     "out-of-order bytes of a flow"},
    {"flow_unacked", Kind::bytes, &Reassembly::unacked_bytes, Action::abandon_flow, "unacknowledged",
     "bytes of a flow that wait for the server's ACK"},
    {"flow_marks", Kind::count, &Reassembly::marks, Action::skip, "gap",
     "server answers of a flow that wait for the capture; past it one proves no boundary"},
    {"orphan_bytes", Kind::bytes, &Reassembly::orphan_bytes, Action::drop_packet, "no_handshake",
     "bytes of a flow whose server was not seen yet"},
    {"flow_hole", Kind::bytes, &Reassembly::hole_bytes, Action::drop_packet, "out_of_window",
     "how far ahead of the stream a segment may lie"},
    {"flow_idle", Kind::time, &Reassembly::idle_timeout, Action::forget_oldest, "idle",
     "a silent flow is forgotten after"},
    {"flow_closing", Kind::time, &Reassembly::closing_timeout, Action::forget_oldest, "client_closed",
     "a half-closed flow is forgotten after"},
    {"closed_wait", Kind::time, &Reassembly::closed_timeout, Action::forget_oldest, "no_handshake",
     "a closed flow is remembered for"},
    {"server_wait", Kind::time, &Reassembly::wait_timeout, Action::begin_early, "status: one_sided_flows",
     "client bytes wait for the server's packets before one-sided mode"},
    {"hole_wait", Kind::time, &Reassembly::hole_timeout, Action::skip, "gap", "one-sided mode: a hole is a gap after"},
    // What the client says.
    {"request_head", Kind::bytes, &Protocol::head_bytes, Action::abandon_flow, "http_head_size",
     "head of an HTTP/1 request"},
    {"chunk_extension", Kind::bytes, &wire::ChunkedLimits::extension_bytes, Action::abandon_flow, "http_ambiguous",
     "extensions of one chunk"},
    {"chunk_trailer", Kind::bytes, &wire::ChunkedLimits::trailer_bytes, Action::abandon_flow, "http_ambiguous",
     "trailer section of a chunked body"},
    {"protocol_memory", Kind::bytes, &Protocol::held_bytes, Action::abandon_flow, "memory",
     "heads in pieces and HTTP/2 decoders of a worker"},
    {"http2_streams", Kind::count, &Protocol::open_streams, Action::shed_request, "stream_limit",
     "HTTP/2 streams that a client has not ended; past it the quietest is given up"},
    {"header_list", Kind::bytes, &Protocol::header_list_bytes, Action::shed_request, "header_size",
     "names and values of an HTTP/2 head, and 128 bytes for each field"},
    {"header_block", Kind::bytes, &Protocol::header_block_bytes, Action::abandon_flow, "header_size",
     "HTTP/2 HEADERS with its CONTINUATIONs, as they came"},
    // Mirrors.
    {"hold", Kind::bytes, &Replay::hold_bytes, Action::begin_early, "-",
     "a request up to this size is sent only when it is whole"},
    {"hold_time", Kind::time, &Replay::hold_time, Action::begin_early, "-",
     "an HTTP/2 request that has not ended is begun at the mirror after"},
    {"flow_queue", Kind::bytes, &Replay::flow_queue_bytes, Action::shed_request, "flow_queue",
     "queued for the mirror of a flow"},
    {"flow_requests", Kind::count, &Replay::flow_requests, Action::shed_request, "flow_queue",
     "requests queued for the mirror of a flow"},
    {"flow_streams", Kind::count, &Replay::flow_streams, Action::shed_request, "stream_limit",
     "HTTP/2 requests of a flow that the mirror has not answered yet"},
    {"queue_memory", Kind::bytes, &Replay::total_queue_bytes, Action::shed_request, "total_queue",
     "queued for mirrors by a worker"},
    {"connections", Kind::count, &Replay::connections, Action::shed_request, "connection_limit",
     "connections of a worker to mirrors"},
    {"mirror_bandwidth", Kind::bytes, &Replay::bandwidth, Action::shed_request, "mirror_rate",
     "bytes per second of a worker to all mirrors"},
    {"connect_timeout", Kind::time, &Replay::connect_timeout, Action::shed_request, "connect_timeout",
     "for a connection to the mirror"},
    {"response_timeout", Kind::time, &Replay::response_timeout, Action::shed_request, "response_timeout",
     "without progress of a request at the mirror"},
    {"connection_idle", Kind::time, &Replay::idle_timeout, Action::close_connection, "-",
     "an idle connection to the mirror is closed after"},
    {"breaker_failures", Kind::count, &Replay::breaker_failures, Action::open_breaker, "breaker_open",
     "connections in a row that the mirror refuses"},
    {"breaker_first_pause", Kind::time, &Replay::breaker_first_pause, Action::open_breaker, "breaker_open",
     "first pause for a mirror that refuses connections"},
    {"breaker_pause", Kind::time, &Replay::breaker_longest_pause, Action::open_breaker, "breaker_open",
     "longest pause for a mirror that refuses connections"},
};

struct PolicyLimit {
    const char* name;
    const char* field;  // of the policy, and a value that is reached at once
    Action action;
    const char* counter;
    const char* meaning;
};

constexpr PolicyLimit kPolicyLimits[] = {
    {"policy_connections", "limits.connections: 1", Action::shed_request, "connection_limit",
     "connections of a worker to one mirror"},
    {"policy_in_flight", "limits.inFlight: 1", Action::shed_request, "mirror_in_flight",
     "requests that one mirror has not answered to a worker"},
    {"policy_queued_bytes", "limits.queuedBytes: 1", Action::shed_request, "mirror_queue",
     "queued for one mirror by a worker"},
    {"policy_bytes_per_second", "limits.bytesPerSecond: 1", Action::shed_request, "mirror_rate",
     "bytes per second of a worker to one mirror"},
    {"policy_connect", "timeouts.connect: 1ms", Action::shed_request, "connect_timeout",
     "for a connection to one mirror"},
    {"policy_response", "timeouts.response: 1ms", Action::shed_request, "response_timeout",
     "without progress of a request at one mirror"},
    {"policy_idle", "timeouts.idle: 1ms", Action::close_connection, "-",
     "an idle connection to one mirror is closed after"},
};

constexpr FixedLimit kFixedLimits[] = {
    {"blind_turns", Kind::count, BoundaryProof::kMaxBlindTurns, Action::abandon_flow, "midstream",
     "a flow joined in the middle that shows no HTTP", "answers that are no HTTP while a boundary is sought"},
    {"tls_sessions", Kind::count, TlsContext::kSessions, Action::forget_oldest, "-", "a server name more",
     "TLS sessions that a mirror's context remembers"},
    {"plan_bytes", Kind::bytes, kMaxPlanBytes, Action::refuse_document, "log", "a larger plan",
     "a plan on its way to the terminator"},
    {"setup_bytes", Kind::bytes, kMaxMessageText, Action::refuse_start, "log", "a longer message",
     "the first message to a terminator that was not forked"},
};

template <class Limits, class T>
auto& part(Limits& limits, T Reassembly::*field) {
    return limits.reassembly.*field;
}
template <class Limits, class T>
auto& part(Limits& limits, T Replay::*field) {
    return limits.replay.*field;
}
template <class Limits, class T>
auto& part(Limits& limits, T Protocol::*field) {
    return limits.protocol.*field;
}
template <class Limits, class T>
auto& part(Limits& limits, T wire::ChunkedLimits::*field) {
    return limits.protocol.chunked.*field;
}

std::uint64_t read(const TerminatorLimits& limits, const Limit& limit) {
    return std::visit([&](auto field) -> std::uint64_t { return part(limits, field); }, limit.field);
}

void write(TerminatorLimits& limits, const Limit& limit, std::uint64_t value) {
    std::visit([&](auto field) { part(limits, field) = value; }, limit.field);
}

// Null: a time, which has no switch of its own.
Bound* bound(TerminatorLimits& limits, const Limit& limit) {
    return std::visit(
        [&](auto field) -> Bound* {
            if constexpr (std::is_same_v<decltype(part(limits, field)), Bound&>) return &part(limits, field);
            return nullptr;
        },
        limit.field);
}

std::uint32_t forced(const TerminatorLimits& limits, const Limit& limit) {
    return std::visit(
        [&](auto field) -> std::uint32_t {
            if constexpr (std::is_same_v<decltype(part(limits, field)), const Bound&>)
                return part(limits, field).forced_every();
            return 0;
        },
        limit.field);
}

const Limit* find(std::string_view name) {
    const auto* end = std::end(kLimits);
    const auto* found = std::find_if(std::begin(kLimits), end, [&](const Limit& entry) { return entry.name == name; });
    return found == end ? nullptr : found;
}

// A time is reached at once when it is as short as can be.
std::string force_switch(const Limit& limit) {
    return limit.kind == Kind::time ? "--limit " + std::string(limit.name) + "=1ms"
                                    : "--force " + std::string(limit.name);
}

}  // namespace

TerminatorLimits default_limits(unsigned workers) {
    TerminatorLimits limits;
    const auto share = std::max(kProcessMemory / std::max(workers, 1u), kWorkerMemory);
    limits.reassembly.memory = std::min<std::size_t>(limits.reassembly.memory, share);
    limits.replay.total_queue_bytes = share;
    limits.replay.bandwidth = std::max(kProcessBandwidth / std::max(workers, 1u), kWorkerBandwidth);
    limits.replay.flow_queue_bytes = std::min<std::size_t>(limits.replay.flow_queue_bytes, share);
    return limits;
}

bool is_limit(std::string_view name) { return find(name) != nullptr; }

Result<void> set_limit(TerminatorLimits& limits, std::string_view text) {
    const auto assignment = split_assignment(text);
    const auto* limit = find(assignment.name);
    if (limit == nullptr) return unknown_limit(assignment);
    const auto value = read_limit(assignment, limit->kind);
    if (!value) return value.error();
    write(limits, *limit, *value);
    return {};
}

Result<void> force_limit(TerminatorLimits& limits, std::string_view text) {
    const auto assignment = split_assignment(text);
    const auto* limit = find(assignment.name);
    if (limit == nullptr) return unknown_limit(assignment);
    Bound* const forced = bound(limits, *limit);
    if (forced == nullptr) return limit_usage(assignment, "a limit of time", "set it: '" + force_switch(*limit) + "'");
    std::uint64_t every = 1;
    if (assignment.has_value) {
        const auto number = read_limit(assignment, Kind::count);
        if (!number) return number.error();
        every = *number;
    }
    if (every > UINT32_MAX) return limit_usage(assignment, "out of range", "write NAME=N for every N-th check");
    forced->force(static_cast<std::uint32_t>(every));
    return {};
}

std::vector<ExceptionRow> list_limits(const TerminatorLimits& limits) {
    std::vector<ExceptionRow> rows;
    for (const auto& entry : kLimits)
        rows.push_back({entry.name, print_limit(entry.kind, read(limits, entry)), entry.action, entry.counter,
                        force_switch(entry), entry.meaning, forced(limits, entry)});
    return rows;
}

std::vector<ExceptionRow> list_other_limits() {
    std::vector<ExceptionRow> rows;
    for (const auto& limit : kPolicyLimits)
        rows.push_back({limit.name, "the worker's", limit.action, limit.counter,
                        "MirrorPolicy " + std::string(limit.field), limit.meaning});
    std::ranges::move(fixed_rows(kFixedLimits), std::back_inserter(rows));
    return rows;
}

}  // namespace umbra
