#include "terminator/limit_table.h"

#include <algorithm>
#include <charconv>
#include <type_traits>
#include <variant>

namespace umbra {

namespace {

constexpr std::size_t kMiB = 1024 * 1024;
constexpr std::size_t kProcessMemory = 192 * kMiB;  // for each of reassembly and replay
constexpr std::size_t kWorkerMemory = 24 * kMiB;    // but a worker has at least this
constexpr std::size_t kProcessBandwidth = 1024 * kMiB;
constexpr std::size_t kWorkerBandwidth = 256 * kMiB;  // flows may gather on one worker

enum class Kind { count, bytes, time };

struct Limit {
    const char* name;
    Kind kind;
    const char* meaning;
    std::variant<std::size_t ReassemblyLimits::*, std::size_t ReplayLimits::*> field;
};

static_assert(std::is_same_v<TimeNs, std::size_t>, "times and sizes share one kind of field");

constexpr Limit flow(const char* name, Kind kind, const char* meaning, std::size_t ReassemblyLimits::*field) {
    return {name, kind, meaning, field};
}
constexpr Limit mirror(const char* name, Kind kind, const char* meaning, std::size_t ReplayLimits::*field) {
    return {name, kind, meaning, field};
}

const Limit kLimits[] = {
    flow("flows", Kind::count, "flows of a worker", &ReassemblyLimits::flows),
    flow("handshakes", Kind::count, "handshakes of a worker without client data yet", &ReassemblyLimits::embryos),
    flow("orphans", Kind::count, "flows of a worker whose server was not seen yet", &ReassemblyLimits::orphans),
    flow("flow_segments", Kind::count, "out-of-order segments of a flow", &ReassemblyLimits::segments),
    flow("flow_ooo", Kind::bytes, "out-of-order bytes of a flow", &ReassemblyLimits::ooo_bytes),
    flow("flow_unacked", Kind::bytes, "bytes of a flow that wait for the server's ACK",
         &ReassemblyLimits::unacked_bytes),
    flow("flow_marks", Kind::count, "server answers of a flow that wait for the capture", &ReassemblyLimits::marks),
    flow("orphan_bytes", Kind::bytes, "bytes of a flow whose server was not seen yet", &ReassemblyLimits::orphan_bytes),
    flow("closed_flows", Kind::count, "closed flows that a worker remembers", &ReassemblyLimits::closed_flows),
    flow("flow_hole", Kind::bytes, "how far ahead of the stream a segment may lie", &ReassemblyLimits::hole_bytes),
    flow("reassembly_memory", Kind::bytes, "reassembly memory of a worker", &ReassemblyLimits::memory),
    flow("flow_idle", Kind::time, "a silent flow is forgotten after", &ReassemblyLimits::idle_timeout),
    flow("flow_closing", Kind::time, "a half-closed flow is forgotten after", &ReassemblyLimits::closing_timeout),
    flow("closed_wait", Kind::time, "a closed flow is remembered for", &ReassemblyLimits::closed_timeout),
    flow("server_wait", Kind::time, "client bytes wait for the server's packets before one-sided mode",
         &ReassemblyLimits::wait_timeout),
    flow("hole_wait", Kind::time, "one-sided mode: a hole is a gap after", &ReassemblyLimits::hole_timeout),
    mirror("hold", Kind::bytes, "a request up to this size is sent only when it is whole", &ReplayLimits::hold_bytes),
    mirror("hold_time", Kind::time, "an HTTP/2 request that has not ended is begun at the mirror after",
           &ReplayLimits::hold_time),
    mirror("flow_queue", Kind::bytes, "queued for the mirror of a flow", &ReplayLimits::flow_queue_bytes),
    mirror("flow_requests", Kind::count, "requests queued for the mirror of a flow", &ReplayLimits::flow_requests),
    mirror("flow_streams", Kind::count, "HTTP/2 requests of a flow that the mirror has not answered yet",
           &ReplayLimits::flow_streams),
    mirror("queue_memory", Kind::bytes, "queued for mirrors by a worker", &ReplayLimits::total_queue_bytes),
    mirror("connections", Kind::count, "connections of a worker to mirrors", &ReplayLimits::connections),
    mirror("mirror_bandwidth", Kind::bytes, "bytes per second of a worker to all mirrors", &ReplayLimits::bandwidth),
    mirror("connect_timeout", Kind::time, "for a connection to the mirror", &ReplayLimits::connect_timeout),
    mirror("response_timeout", Kind::time, "without progress of a request at the mirror",
           &ReplayLimits::response_timeout),
    mirror("connection_idle", Kind::time, "an idle connection to the mirror is closed after",
           &ReplayLimits::idle_timeout),
    mirror("breaker_pause", Kind::time, "longest pause for a mirror that refuses connections",
           &ReplayLimits::breaker_longest_pause),
};

std::uint64_t read(const TerminatorLimits& limits, const Limit& limit) {
    if (const auto* field = std::get_if<0>(&limit.field)) return limits.reassembly.*(*field);
    return limits.replay.*std::get<1>(limit.field);
}

void write(TerminatorLimits& limits, const Limit& limit, std::uint64_t value) {
    if (const auto* field = std::get_if<0>(&limit.field))
        limits.reassembly.*(*field) = value;
    else
        limits.replay.*std::get<1>(limit.field) = value;
}

std::uint64_t factor(Kind kind, std::string_view unit) {
    if (kind == Kind::time) {
        if (unit == "ms") return kMillisecond;
        if (unit == "s") return kSecond;
        return unit == "m" ? 60 * kSecond : 0;
    }
    if (unit.empty()) return 1;
    if (unit == "k") return 1024;
    if (unit == "M") return kMiB;
    return unit == "G" ? 1024 * kMiB : 0;
}

std::string print(Kind kind, std::uint64_t value) {
    if (kind == Kind::time)
        return value % kSecond == 0 ? std::to_string(value / kSecond) + "s"
                                    : std::to_string(value / kMillisecond) + "ms";
    if (kind == Kind::bytes && value % kMiB == 0) return std::to_string(value / kMiB) + "M";
    if (kind == Kind::bytes && value % 1024 == 0) return std::to_string(value / 1024) + "k";
    return std::to_string(value);
}

const Limit* find(std::string_view name) {
    const auto* end = std::end(kLimits);
    const auto* found = std::find_if(std::begin(kLimits), end, [&](const Limit& entry) { return entry.name == name; });
    return found == end ? nullptr : found;
}

Error usage(std::string_view assignment, const std::string& cause, const std::string& hint) {
    return {ErrorCode::usage, "set limit '" + std::string(assignment) + "': " + cause, hint};
}

}  // namespace

TerminatorLimits default_limits(unsigned workers) {
    TerminatorLimits limits;
    const auto share = std::max(kProcessMemory / std::max(workers, 1u), kWorkerMemory);
    limits.reassembly.memory = std::min(limits.reassembly.memory, share);
    limits.replay.total_queue_bytes = share;
    limits.replay.bandwidth = std::max(kProcessBandwidth / std::max(workers, 1u), kWorkerBandwidth);
    limits.replay.flow_queue_bytes = std::min(limits.replay.flow_queue_bytes, share);
    return limits;
}

Result<void> set_limit(TerminatorLimits& limits, std::string_view assignment) {
    const auto equals = assignment.find('=');
    const auto* limit = find(assignment.substr(0, equals));
    if (equals == std::string_view::npos) return usage(assignment, "no value", "write NAME=VALUE");
    if (limit == nullptr)
        return usage(assignment, "no limit has this name", "'umbra status' lists the limits and their names");
    const auto text = assignment.substr(equals + 1);
    std::uint64_t number = 0;
    const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto unit = factor(limit->kind, text.substr(static_cast<std::size_t>(rest - text.data())));
    if (failure != std::errc{} || unit == 0)
        return usage(assignment, "not a value of its kind",
                     limit->kind == Kind::time ? "write a time such as 500ms, 15s or 2m"
                                               : "write a number, with k, M or G for multiples of 1024");
    std::uint64_t value = 0;
    if (__builtin_mul_overflow(number, unit, &value) || value == 0 || value > (1ULL << 50))
        return usage(assignment, "out of range", "a limit is finite and above zero");
    write(limits, *limit, value);
    return {};
}

std::vector<LimitRow> list_limits(const TerminatorLimits& limits) {
    std::vector<LimitRow> rows;
    for (const auto& entry : kLimits)
        rows.push_back({entry.name, print(entry.kind, read(limits, entry)), entry.meaning});
    return rows;
}

}  // namespace umbra
