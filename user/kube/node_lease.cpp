#include "kube/node_lease.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "kube/json_text.h"
#include "kube/limits.h"
#include "kube/wall_time.h"

namespace umbra::kube {

namespace {

constexpr std::string_view kPrefix = "umbra-node-";
constexpr int kLeaseSeconds = 60;
constexpr double kLongGone = 120;  // seconds; leaves room for clocks that differ

bool long_gone(const std::string& renewed, double wall) {
    const auto at = parse_rfc3339(renewed);
    return !at || wall - *at > kLongGone;
}

}  // namespace

std::string node_lease_name(const std::string& node) { return std::string(kPrefix) + node; }

std::string report_text(const Report& report) {
    std::string text = control::encode(to_json(report));
    if (text.size() <= kMaxAnnotation) return text;
    Report shorter;
    std::size_t bytes = 64;
    for (const RuleReport& rule : report.rules) {
        Report one;
        one.rules.push_back(rule);
        bytes += control::encode(to_json(one)).size();
        if (bytes > kMaxAnnotation) break;
        shorter.rules.push_back(rule);
    }
    return control::encode(to_json(shorter));
}

Json node_lease(const std::string& node, const std::string& ns, const Report& report, double wall) {
    return {{"apiVersion", "coordination.k8s.io/v1"},
            {"kind", "Lease"},
            {"metadata",
             {{"name", node_lease_name(node)},
              {"namespace", ns},
              {"labels", {{kRoleLabel, "node"}, {"app.kubernetes.io/name", "umbra"}}},
              {"annotations", {{kReportAnnotation, report_text(report)}}}}},
            {"spec",
             {{"holderIdentity", node}, {"leaseDurationSeconds", kLeaseSeconds}, {"renewTime", rfc3339_micro(wall)}}}};
}

void NodeReports::put(const Json& lease, TimeNs now, double wall) {
    const std::string name = text_at(lease, {"metadata", "name"});
    if (!name.starts_with(kPrefix)) return;
    if (!nodes_.contains(name) && nodes_.size() >= kMaxNodes) {
        if (!std::exchange(full_, true))
            spdlog::warn("more than {} nodes: the others' reports are not read", kMaxNodes);
        return;
    }
    const bool is_new = !nodes_.contains(name);
    Node& node = nodes_[name];
    node.list = list_;
    const std::string renewed = text_at(lease, {"spec", "renewTime"});
    if (is_new ? !long_gone(renewed, wall) : renewed != node.renewed) node.fresh_until = now + kNodeStale;
    node.renewed = renewed;
    std::string text = text_at(lease, {"metadata", "annotations", kReportAnnotation});
    if (!is_new && text == node.text) return;
    node.report.node = text_at(lease, {"spec", "holderIdentity"});
    const auto json = parse_json(text);
    auto report = json ? report_from(*json) : Result<Report>(Report{});
    node.report.report = report ? std::move(*report) : Report{};
    node.text = std::move(text);
}

void NodeReports::removed(const Json& lease) { nodes_.erase(text_at(lease, {"metadata", "name"})); }

void NodeReports::list_ends() {
    complete_ = true;
    std::erase_if(nodes_, [this](const auto& entry) { return entry.second.list != list_; });
}

std::vector<NodeReport> NodeReports::fresh(TimeNs now) const {
    std::vector<NodeReport> reports;
    for (const auto& [name, node] : nodes_) {
        if (now <= node.fresh_until) reports.push_back(node.report);
    }
    return reports;
}

TimeNs NodeReports::stale_at(TimeNs now) const {
    TimeNs at = ~TimeNs{0};
    for (const auto& [name, node] : nodes_) {
        if (now <= node.fresh_until) at = std::min(at, node.fresh_until + 1);
    }
    return at;
}

}  // namespace umbra::kube
