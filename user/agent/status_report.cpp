#include <unistd.h>

#include "agent/process_info.h"
#include "agent/report.h"
#include "loader/kernel_limits.h"
#include "rules/listing.h"

#include "umbra/abi/version.h"

namespace umbra::agent {

namespace {

using control::Json;

Json attach_points(const loader::Datapath& datapath) {
    Json points = Json::array();
    for (const auto& point : datapath.attach_points()) {
        points.push_back({{"device", point.device},
                          {"ifindex", point.ifindex},
                          {"hook", point.tcx ? "tcx" : "clsact"},
                          {"ingress_program", point.ingress_program},
                          {"egress_program", point.egress_program},
                          {"why", point.why}});
    }
    return points;
}

Json rules_of(const rules::Plan& plan, bool paused) {
    Json rows = Json::array();
    for (const auto& row : rules::list_rules(plan)) {
        rows.push_back({{"rule", row.key},
                        {"precedence", row.precedence},
                        {"mirror", row.mirror},
                        {"origins", row.origins},
                        {"mirror_endpoints", row.mirror_endpoints},
                        {"status", status_now(row, paused)}});
    }
    return rows;
}

Json process(const char* role, pid_t pid) {
    Json out{{"role", role}, {"pid", pid}};
    if (const auto info = read_process(pid)) out.update(to_json(*info));
    return out;
}

Json worker(unsigned index, const umbra_worker_row& row) {
    return {{"worker", index},
            {"generation", row.generation},
            {"flows", row.flows},
            {"one_sided", row.one_sided},
            {"embryos", row.embryos},
            {"connections", row.connections},
            {"reassembly_bytes", row.reassembly_bytes},
            {"queued_bytes", row.queued_bytes},
            {"captured_packets", row.captured_packets},
            {"captured_bytes", row.captured_bytes},
            {"foreign_packets", row.foreign_packets},
            {"server_records", row.server_records},
            {"bad_records", row.bad_records},
            {"partial_checksums", row.partial_checksums},
            {"flows_opened", row.flows_opened},
            {"flows_joined", row.flows_joined},
            {"one_sided_flows", row.one_sided_flows},
            {"gaps", row.gaps},
            {"broken_flows", row.broken_flows},
            {"injected_losses", row.injected_losses},
            {"responses", row.responses},
            {"response_bytes", row.response_bytes},
            {"connections_opened", row.connections_opened}};
}

Json limits(const Runtime& runtime) {
    Json rows = Json::array();
    const auto add = [&rows](const std::vector<ExceptionRow>& limits) {
        for (const auto& row : limits)
            rows.push_back(
                {{"name", row.name}, {"value", row.value}, {"meaning", row.meaning}, {"forced", row.forced}});
    };
    add(loader::list_kernel_limits(runtime.datapath().options()));
    add(list_limits(runtime.settings().limits));
    return rows;
}

Json workers(const Runtime& runtime) {
    Json rows = Json::array();
    for (unsigned i = 0; i < runtime.datapath().workers(); ++i) rows.push_back(worker(i, runtime.ledger().worker(i)));
    return rows;
}

// What a terminator in another container says of itself: known fields alone, none of them nested.
void add_self_report(const std::string& text, Json& row) {
    const auto flat = [](int depth, Json::parse_event_t, Json&) { return depth <= 1; };
    const Json report = Json::parse(text, flat, false);
    if (!report.is_object()) return;
    for (const char* name :
         {"pid", "uid", "capabilities", "permitted", "no_new_privs", "seccomp", "threads", "resident_bytes"}) {
        const auto found = report.find(name);
        if (found != report.end() && found->is_primitive()) row[name] = *found;
    }
}

Json processes(const Runtime& runtime) {
    Json rows = Json::array({process("loader", ::getpid())});
    const TerminatorProcess* terminator = runtime.terminator();
    if (terminator && terminator->pid() > 0) rows.push_back(process("terminator", terminator->pid()));
    if (terminator && terminator->pid() == 0) {
        Json row{{"role", "terminator"}, {"adopted", true}};
        add_self_report(terminator->self_report(), row);
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace

std::string status_now(const rules::RuleRow& row, bool paused) {
    return paused && row.status == "mirroring" ? "paused" : row.status;
}

Json status_report(const AgentOptions& options, const Runtime& runtime, const RuleStore& store) {
    const loader::Datapath& datapath = runtime.datapath();
    Json remote = Json::array();
    for (const auto& endpoint : runtime.remote())
        remote.push_back({{"endpoint", endpoint.endpoint.to_string()}, {"why", endpoint.why}});
    return {{"version", UMBRA_VERSION},
            {"abi", UMBRA_ABI_VERSION},
            {"pid", ::getpid()},
            {"socket", options.socket},
            {"mode", options.one_sided ? "one-sided" : "strict"},
            {"injected_loss", options.inject_loss},
            {"workers_count", datapath.workers()},
            {"kernel", datapath.features().kernel},
            {"hook", datapath.uses_tcx() ? "tcx" : "clsact"},
            {"generation", datapath.generation()},
            {"terminator", runtime.terminator() ? "running" : "restarting"},
            {"restarts", runtime.restarts()},
            {"capture_device", datapath.capture_device()},
            {"capture_device_ip", datapath.capture_device_ip()},
            {"attach_points", attach_points(datapath)},
            {"rules", rules_of(store.plan(), runtime.share().paused)},
            {"remote_endpoints", std::move(remote)},
            {"processes", processes(runtime)},
            {"workers", workers(runtime)},
            {"limits", limits(runtime)}};
}

}  // namespace umbra::agent
