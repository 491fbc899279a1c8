#include "loader/kernel_limits.h"

#include <algorithm>
#include <iterator>

#include "base/limit_value.h"

#include "umbra/abi/limits.h"

namespace umbra::loader {

namespace {

struct Limit {
    const char* name;
    LimitKind kind;
    std::uint32_t DatapathOptions::*field;
    Action action;
    const char* counter;
    const char* smallest;
    const char* meaning;
};

constexpr Limit kLimits[] = {
    {"capture_queue", LimitKind::count, &DatapathOptions::queue_length, Action::not_cloned, "queue_full", "1",
     "packets in a worker's capture queue"},
    {"server_ring", LimitKind::bytes, &DatapathOptions::ring_bytes, Action::drop_packet, "ring_full", "4k",
     "headers of server packets in a worker's ring"},
    {"muted_flows", LimitKind::count, &DatapathOptions::muted, Action::forget_oldest, "status: captured_packets", "1",
     "flows that are no longer cloned; past it one is cloned again, and dropped by the terminator"},
    {"own_connections", LimitKind::count, &DatapathOptions::own, Action::shed_request, "connection_limit", "1",
     "connections to mirrors that the loop guard knows; past it none is made to a mirror that is an origin, too"},
    {"devices", LimitKind::count, &DatapathOptions::devices, Action::refuse_document, "error", "1",
     "devices that programs are attached to"},
};

using enum LimitKind;
using enum Action;

constexpr FixedLimit kFixed[] = {
    {"rules", count, UMBRA_MAX_RULES, refuse_document, "error", "a rule more", "rules, and mirrors after the first"},
    {"candidates", count, UMBRA_MAX_CANDIDATES, refuse_document, "error", "a rule more for one endpoint",
     "rules that compete for one endpoint"},
    {"endpoints", count, UMBRA_MAX_ENDPOINTS, refuse_document, "error", "an endpoint more", "origin endpoints"},
    {"sources", count, UMBRA_MAX_SOURCES, refuse_document, "error", "a source prefix more",
     "source prefixes of all rules"},
    {"workers", count, UMBRA_MAX_WORKERS, refuse_start, "error", "--workers 65", "worker threads"},
    {"vlan_tags", count, UMBRA_MAX_VLAN_TAGS, not_cloned, "-", "a packet with 3 tags", "VLAN tags of a packet"},
    {"ext_headers", count, UMBRA_MAX_EXT_HEADERS, not_cloned, "-", "a packet with 9 of them",
     "IPv6 extension headers of a packet"},
};

const Limit* find(std::string_view name) {
    const auto found =
        std::ranges::find(kLimits, name, [](const Limit& limit) { return std::string_view(limit.name); });
    return found == std::end(kLimits) ? nullptr : &*found;
}

}  // namespace

bool is_kernel_limit(std::string_view name) { return find(name) != nullptr; }

Result<void> set_kernel_limit(DatapathOptions& options, std::string_view text) {
    const auto assignment = split_assignment(text);
    const Limit* const limit = find(assignment.name);
    if (limit == nullptr) return unknown_limit(assignment);
    const auto value = read_limit(assignment, limit->kind);
    if (!value) return value.error();
    constexpr std::uint64_t kMost = 1u << 30;
    if (*value > kMost) return limit_usage(assignment, "out of range", "at most 1G");
    options.*limit->field = static_cast<std::uint32_t>(*value);
    return {};
}

std::vector<ExceptionRow> list_kernel_limits(const DatapathOptions& options) {
    std::vector<ExceptionRow> rows;
    for (const Limit& limit : kLimits) {
        rows.push_back({limit.name, print_limit(limit.kind, options.*limit.field), limit.action, limit.counter,
                        "--limit " + std::string(limit.name) + "=" + limit.smallest, limit.meaning});
    }
    std::ranges::move(fixed_rows(kFixed), std::back_inserter(rows));
    return rows;
}

}  // namespace umbra::loader
