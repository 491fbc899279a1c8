#include "metrics/agent_metrics.h"

namespace umbra::metrics {

namespace {

constexpr Field kSeen[] = {
    {"flows", {"umbra_seen_flows_total", "Client flows that a rule matched."}},
    {"requests", {"umbra_seen_requests_total", "Requests that a rule matched."}},
    {"bytes", {"umbra_seen_bytes_total", "Client payload bytes captured, retransmissions included."}},
};
constexpr Field kMirrored[] = {
    {"flows", {"umbra_mirrored_flows_total", "Flows that ended with everything mirrored or accounted for."}},
    {"requests", {"umbra_mirrored_requests_total", "Requests whose response from the mirror was read to its end."}},
    {"bytes", {"umbra_mirrored_bytes_total", "Client payload bytes that the mirror took."}},
};
constexpr Field kDropped[] = {
    {"flows", {"umbra_dropped_flows_total", "Flows not mirrored, by reason."}},
    {"requests", {"umbra_dropped_requests_total", "Requests not mirrored, by reason."}},
    {"bytes", {"umbra_dropped_bytes_total", "Client payload bytes not mirrored, by reason."}},
};
constexpr Field kInFlight[] = {
    {"flows", {"umbra_in_flight_flows", "Flows that are open.", Kind::gauge}},
    {"requests", {"umbra_in_flight_requests", "Requests neither mirrored nor dropped yet.", Kind::gauge}},
    {"bytes", {"umbra_in_flight_bytes", "Client payload bytes neither mirrored nor dropped yet.", Kind::gauge}},
};
constexpr Field kKernelSeen[] = {
    {"packets", {"umbra_kernel_seen_packets_total", "Client packets with payload or flags that a rule matched."}},
    {"bytes", {"umbra_kernel_seen_bytes_total", "TCP payload bytes of the client packets seen."}},
};
constexpr Field kKernelCloned[] = {
    {"packets", {"umbra_kernel_cloned_packets_total", "Client packets cloned to the capture device."}},
    {"bytes", {"umbra_kernel_cloned_bytes_total", "TCP payload bytes of the client packets cloned."}},
};
constexpr Field kKernelDropped[] = {
    {"packets", {"umbra_kernel_dropped_packets_total", "Packets not cloned, or server headers lost, by reason."}},
    {"bytes", {"umbra_kernel_dropped_bytes_total", "TCP payload bytes of the packets not cloned, by reason."}},
};
constexpr Field kServer[] = {
    {"packets", {"umbra_kernel_server_packets_total", "Server packets whose headers were seen."}},
    {"bytes", {"umbra_kernel_server_bytes_total", "TCP payload bytes of the server packets seen."}},
};
constexpr Field kBareAcks[] = {
    {"packets", {"umbra_kernel_bare_ack_packets_total", "Client packets that carry nothing to mirror, not cloned."}},
};
constexpr Field kCapture[] = {
    {"cloned", {"umbra_capture_cloned_bytes_total", "Payload bytes that the kernel handed to the capture device."}},
    {"captured", {"umbra_capture_captured_bytes_total", "Payload bytes that the terminator read from its queues."}},
    {"unreported",
     {"umbra_capture_unreported_bytes",
      "Payload bytes cloned that no queue will yield; negative: that came although counted as queue_full.",
      Kind::gauge}},
    {"in_queue", {"umbra_capture_queued_bytes", "Payload bytes cloned and not read yet.", Kind::gauge}},
};
constexpr Field kVerdict[] = {
    {"closes", {"umbra_ledger_closes", "1 if every account of the ledger closes, else 0.", Kind::gauge}},
};

void add_reasons(Families& families, std::span<const Field> table, const Json& dropped, const std::string& rule) {
    if (!dropped.is_object()) return;
    for (const auto& [reason, count] : dropped.items())
        add_fields(families, table, count, {{"rule", rule}, {"reason", reason}});
}

void add_rule(Families& families, const Json& row) {
    const std::string rule = text(part(row, "rule"));
    if (rule.empty()) return;
    const Labels labels{{"rule", rule}};
    add_fields(families, kSeen, part(row, "seen"), labels);
    add_fields(families, kMirrored, part(row, "mirrored"), labels);
    add_fields(families, kInFlight, part(row, "in_flight"), labels);
    add_reasons(families, kDropped, part(row, "dropped"), rule);
    const Json& kernel = part(row, "kernel");
    add_fields(families, kKernelSeen, part(kernel, "seen"), labels);
    add_fields(families, kKernelCloned, part(kernel, "cloned"), labels);
    add_fields(families, kServer, part(kernel, "server"), labels);
    add_fields(families, kBareAcks, part(kernel, "bare_acks"), labels);
    add_reasons(families, kKernelDropped, part(kernel, "dropped"), rule);
}

}  // namespace

void add_ledger(Families& families, const Json& ledger) {
    add_fields(families, kVerdict, ledger, {});
    add_fields(families, kCapture, part(ledger, "capture"), {});
    for (const Json& row : part(ledger, "rules")) add_rule(families, row);
}

}  // namespace umbra::metrics
