#include "metrics/exceptions.h"

#include "metrics/agent_reader.h"
#include "metrics/http_server.h"

namespace umbra::metrics {

namespace {

using enum LimitKind;
using enum Action;

constexpr HttpLimits kHttp;
constexpr ReaderLimits kReader;

constexpr std::uint64_t nanoseconds(std::chrono::nanoseconds time) { return static_cast<std::uint64_t>(time.count()); }

constexpr FixedLimit kLimits[] = {
    {"http_clients", count, kHttp.connections, close_client, "-", "a client more",
     "clients of the exporter; past it the one that was silent longest goes"},
    {"http_head", bytes, kHttp.head_bytes, close_client, "error", "a longer head", "the head of a request for metrics"},
    {"http_head_time", time, nanoseconds(kHttp.head_time), close_client, "-", "half a head",
     "a whole head, or the next one"},
    {"http_write_time", time, nanoseconds(kHttp.write_time), close_client, "-", "a client that does not read",
     "taking a whole answer"},
    {"agent_patience", time, nanoseconds(kReader.patience), refuse_request, "umbra_up", "an agent that is stopped",
     "the exporter waits for the agent"},
};

}  // namespace

std::vector<ExceptionRow> list_limits() { return fixed_rows(kLimits); }

}  // namespace umbra::metrics
