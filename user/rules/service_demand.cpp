#include "rules/service_demand.h"

#include "rules/host_name.h"

namespace umbra::rules {

namespace {

class Collector {
public:
    Collector(std::string_view cluster_domain) : suffix_(".svc." + std::string(cluster_domain)) {}

    // remote_labels: the labels select among endpoints of any node.
    void add(const ServiceRef& ref, const std::string& ns, bool remote_labels) {
        const std::string host = resolve_host(ref, ns, suffix_.substr(5));
        if (host.find_first_of("*/") != std::string::npos) {
            demand_.everything = true;
            return;
        }
        if (!host.ends_with(suffix_)) return;  // a ServiceEntry's
        const auto service = host.substr(0, host.size() - suffix_.size());
        const auto dot = service.find('.');
        if (dot == std::string::npos) return;
        const auto found = service.substr(dot + 1);
        demand_.namespaces.insert(found);
        if (remote_labels && !ref.labels.empty()) demand_.pod_namespaces.insert(found);
    }

    ServiceDemand take() { return std::move(demand_); }

private:
    std::string suffix_;
    ServiceDemand demand_;
};

}  // namespace

ServiceDemand demand_of(const DocumentSet& documents, std::string_view cluster_domain) {
    Collector collector(cluster_domain);
    for (const auto* rule : documents.all<RouteRule>()) {
        collector.add(rule->destination, rule->ns, false);
        for (const auto& entry : rule->route) {
            if (entry.destination) collector.add(*entry.destination, rule->ns, false);
        }
        if (rule->mirror) collector.add(*rule->mirror, rule->ns, true);
        if (rule->match.source) collector.add(*rule->match.source, rule->ns, true);
    }
    for (const auto* policy : documents.all<MirrorPolicy>()) {
        for (const auto& mirror : policy->mirrors) collector.add(mirror.ref, policy->ns, true);
    }
    return collector.take();
}

}  // namespace umbra::rules
