#include "metrics/agent_metrics.h"

namespace umbra::metrics {

namespace {

constexpr Metric kInfo{"umbra_kubernetes_info", "The API server and the node that the agent is on.", Kind::gauge};
constexpr Metric kState{"umbra_kubernetes_resource_state", "What the watch of a resource does: 1 for its state.",
                        Kind::gauge};
constexpr Field kFeed[] = {
    {"synced", {"umbra_kubernetes_synced", "1 once everything needed was listed, and since then.", Kind::gauge}},
    {"is_leader", {"umbra_kubernetes_leader", "1 if this node writes the status conditions.", Kind::gauge}},
    {"requests", {"umbra_kubernetes_requests_total", "Requests to the API server."}},
    {"failures", {"umbra_kubernetes_failed_requests_total", "Requests to the API server that failed."}},
};
constexpr Field kResource[] = {
    {"objects", {"umbra_kubernetes_objects", "Objects known of a resource.", Kind::gauge}},
    {"lists", {"umbra_kubernetes_lists_total", "Times that a resource was listed."}},
    {"watches", {"umbra_kubernetes_watches_total", "Watches of a resource that were begun."}},
    {"errors", {"umbra_kubernetes_errors_total", "Lists and watches of a resource that failed."}},
};

}  // namespace

void add_kubernetes(Families& families, const Json& kubernetes) {
    if (!kubernetes.is_object()) return;
    add_info(families, kInfo, {{"server", text(part(kubernetes, "server"))}, {"node", text(part(kubernetes, "node"))}});
    add_fields(families, kFeed, kubernetes, {});
    for (const Json& row : part(kubernetes, "resources")) {
        Labels labels{{"resource", text(part(row, "resource"))}, {"scope", text(part(row, "scope"))}};
        add_fields(families, kResource, row, labels);
        labels.emplace_back("state", text(part(row, "state")));
        add_info(families, kState, labels);
    }
}

}  // namespace umbra::metrics
