#include "metrics/agent_metrics.h"

namespace umbra::metrics {

namespace {

constexpr Metric kBuild{"umbra_build_info", "Version of the agent and of its contract with the kernel.", Kind::gauge};
constexpr Metric kAgent{"umbra_agent_info", "How the agent works here.", Kind::gauge};
constexpr Metric kLimit{"umbra_limit_info", "The limits in force.", Kind::gauge};
constexpr Metric kRunning{"umbra_terminator_running", "1 if the terminator runs, 0 while it is restarted.",
                          Kind::gauge};
constexpr Metric kAttachPoints{"umbra_attach_points", "Devices with programs attached, by hook.", Kind::gauge};
constexpr Metric kRemote{"umbra_remote_endpoints", "Origin endpoints whose packets do not pass this node.",
                         Kind::gauge};
constexpr Metric kRules{"umbra_rules", "Rules in force.", Kind::gauge};
constexpr Metric kPaused{"umbra_paused", "1 if nothing is cloned because an operator or a threshold stopped it.",
                         Kind::gauge};

constexpr Field kStatus[] = {
    {"generation", {"umbra_plan_generation", "Number of the plan in force.", Kind::gauge}},
    {"restarts", {"umbra_terminator_restarts_total", "Times that the terminator was started again."}},
    {"clone_share", {"umbra_clone_share", "Share of the rules' flows that is cloned, 0 to 1.", Kind::gauge}},
    {"workers_count", {"umbra_workers", "Worker threads of the terminator.", Kind::gauge}},
};
constexpr Field kRule[] = {
    {"origins", {"umbra_rule_origin_endpoints", "Endpoints whose traffic the rule matches.", Kind::gauge}},
    {"mirror_endpoints", {"umbra_rule_mirror_endpoints", "Endpoints that the rule mirrors to.", Kind::gauge}},
};
constexpr Field kTrip[] = {
    {"trips", {"umbra_trips_total", "Times that a threshold lowered the share of flows or stopped cloning."}},
};
constexpr Field kProcess[] = {
    {"resident_bytes", {"umbra_process_resident_memory_bytes", "Resident memory of a process.", Kind::gauge}},
    {"threads", {"umbra_process_threads", "Threads of a process.", Kind::gauge}},
};
constexpr Field kWorker[] = {
    {"generation", {"umbra_worker_plan_generation", "Number of the plan that the worker uses.", Kind::gauge}},
    {"flows", {"umbra_worker_flows", "Flows that are open.", Kind::gauge}},
    {"one_sided", {"umbra_worker_one_sided_flows", "Open flows whose server's side is invisible.", Kind::gauge}},
    {"embryos", {"umbra_worker_embryos", "Handshakes without client data yet.", Kind::gauge}},
    {"connections", {"umbra_worker_mirror_connections", "Connections to mirrors.", Kind::gauge}},
    {"reassembly_bytes", {"umbra_worker_reassembly_bytes", "Bytes out of order or not acknowledged yet.", Kind::gauge}},
    {"queued_bytes", {"umbra_worker_queued_bytes", "Bytes that wait for mirrors.", Kind::gauge}},
    {"captured_packets", {"umbra_worker_captured_packets_total", "Clones read from the capture queue."}},
    {"captured_bytes", {"umbra_worker_captured_bytes_total", "TCP payload bytes of the clones read."}},
    {"foreign_packets", {"umbra_worker_foreign_packets_total", "Frames on the capture queue that are of no rule."}},
    {"server_records", {"umbra_worker_server_records_total", "Server headers read from the ring."}},
    {"bad_records", {"umbra_worker_bad_records_total", "Server headers refused: version, type or length."}},
    {"partial_checksums",
     {"umbra_worker_partial_checksums_total", "Packets accepted with the pseudo-header's sum alone (offload)."}},
    {"flows_opened", {"umbra_worker_opened_flows_total", "Flows opened by a handshake."}},
    {"flows_joined", {"umbra_worker_joined_flows_total", "Flows picked up at a proven request boundary."}},
    {"one_sided_flows",
     {"umbra_worker_fallback_flows_total", "Flows that went on one-sided because the server stayed invisible."}},
    {"gaps", {"umbra_worker_gaps_total", "Holes that lost clones left in flows."}},
    {"broken_flows", {"umbra_worker_broken_flows_total", "Flows with at least one gap."}},
    {"injected_losses", {"umbra_worker_injected_losses_total", "Clones thrown away on purpose by --inject-loss."}},
    {"responses", {"umbra_worker_responses_total", "Responses of mirrors read to their end and discarded."}},
    {"response_bytes", {"umbra_worker_response_bytes_total", "Bytes of mirrors' responses read and discarded."}},
    {"connections_opened", {"umbra_worker_opened_mirror_connections_total", "Connections opened to mirrors."}},
};

void add_rows(Families& families, std::span<const Field> table, const Json& rows, const char* name, const char* label) {
    for (const Json& row : rows) {
        const std::string value = text(part(row, name));
        if (!value.empty()) add_fields(families, table, row, {{label, value}});
    }
}

void add_infos(Families& families, const Json& status) {
    add_info(families, kBuild, {{"version", text(part(status, "version"))}, {"abi", text(part(status, "abi"))}});
    add_info(families, kAgent,
             {{"mode", text(part(status, "mode"))},
              {"hook", text(part(status, "hook"))},
              {"kernel", text(part(status, "kernel"))}});
    for (const Json& limit : part(status, "limits"))
        add_info(families, kLimit, {{"limit", text(part(limit, "name"))}, {"value", text(part(limit, "value"))}});
}

void add_counts(Families& families, const Json& status) {
    if (part(status, "terminator").is_string())
        families.add(kRunning, {}, text(part(status, "terminator")) == "running" ? 1 : 0);
    if (status.contains("paused")) families.add(kPaused, {}, part(status, "paused").is_object() ? 1 : 0);
    for (const Json& point : part(status, "attach_points"))
        families.add(kAttachPoints, {{"hook", text(part(point, "hook"))}}, 1);
    const auto count = [&](const char* field, const Metric& metric) {
        const Json& rows = part(status, field);
        if (rows.is_array()) families.add(metric, {}, static_cast<double>(rows.size()));
    };
    count("rules", kRules);
    count("remote_endpoints", kRemote);
}

}  // namespace

void add_status(Families& families, const Json& status) {
    if (!status.is_object()) return;
    add_infos(families, status);
    add_counts(families, status);
    add_fields(families, kStatus, status, {});
    add_rows(families, kRule, part(status, "rules"), "rule", "rule");
    add_rows(families, kTrip, part(part(status, "trip"), "trips"), "threshold", "threshold");
    add_rows(families, kProcess, part(status, "processes"), "role", "role");
    add_rows(families, kWorker, part(status, "workers"), "worker", "worker");
    add_kubernetes(families, part(status, "kubernetes"));
}

}  // namespace umbra::metrics
