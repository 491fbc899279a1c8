#include "rules/resolve_mirror.h"

#include <algorithm>

#include "rules/host_name.h"
#include "rules/suggest.h"

namespace umbra::rules {

namespace {

std::string describe(const Labels& labels) {
    std::string text;
    for (const auto& [key, value] : labels) {
        if (!text.empty()) text += ",";
        text.append(key).append("=").append(value);
    }
    return text;
}

std::vector<const Instance*> instances_of(const HostEntry& host, const Labels& labels) {
    std::vector<const Instance*> found;
    for (const auto& instance : host.instances) {
        if (labels_match(labels, *instance.labels)) found.push_back(&instance);
    }
    return found;
}

// The mirror takes the port that the client called, at the port where its own instances serve it.
MirrorTarget target_at(std::uint16_t service_port, const std::vector<const Instance*>& instances) {
    MirrorTarget target{service_port, {}};
    for (const auto* instance : instances) {
        const auto port = instance->ports.find(service_port);
        if (instance->accepts && port != instance->ports.end()) {
            target.endpoints.push_back({instance->address, port->second});
        }
    }
    std::sort(target.endpoints.begin(), target.endpoints.end());
    target.endpoints.erase(std::unique(target.endpoints.begin(), target.endpoints.end()), target.endpoints.end());
    return target;
}

std::set<std::uint16_t> ports_of(const std::vector<const HostEntry*>& destinations) {
    std::set<std::uint16_t> ports;
    for (const auto* host : destinations) ports.insert(host->ports.begin(), host->ports.end());
    return ports;
}

std::string port_list(const std::vector<std::uint16_t>& ports) {
    std::string text;
    for (const auto port : ports) text += (text.empty() ? "" : ", ") + std::to_string(port);
    return (ports.size() == 1 ? "port " : "ports ") + text;
}

class MirrorResolver {
public:
    MirrorResolver(const RouteRule& rule, const ResolveContext& context, PlanRule& plan)
        : rule_(rule), context_(context), plan_(plan) {}

    std::set<Endpoint> run(const std::vector<const HostEntry*>& destinations) {
        const auto& mirror = *rule_.mirror;
        plan_.has_mirror = true;
        plan_.mirror_host = resolve_host(mirror, rule_.ns, context_.cluster_domain);
        plan_.mirror_labels = mirror.labels;
        const auto ports = ports_of(destinations);
        for (const auto port : ports) plan_.targets.push_back({port, {}});
        if (plan_.mirror_host.find_first_of("*/") != std::string::npos) {
            off("'" + plan_.mirror_host + "' names no single service", "name one service");
            return {};
        }
        const auto* host = context_.registry.find(plan_.mirror_host);
        if (!host) {
            const auto close = did_you_mean(plan_.mirror_host, context_.registry.host_names());
            off("no document describes the host '" + plan_.mirror_host + "'",
                close.empty() ? "give its Service and Pods, or a ServiceEntry, with -f" : close);
            return {};
        }
        const auto instances = instances_of(*host, mirror.labels);
        resolve_targets(*host, instances, ports);
        std::set<Endpoint> shadows;
        for (const auto* instance : instances) {
            for (const auto& [service_port, port] : instance->ports) shadows.insert({instance->address, port});
        }
        return shadows;
    }

private:
    void resolve_targets(const HostEntry& host, const std::vector<const Instance*>& instances,
                         const std::set<std::uint16_t>& ports) {
        if (instances.empty()) {
            if (host.external_name)
                return off("'" + host.host + "' is an ExternalName service, which has no endpoints");
            const auto labels = describe(plan_.mirror_labels);
            return off("'" + host.host + "' has no endpoint" + (labels.empty() ? "" : " with the labels " + labels),
                       "kubectl get pods --show-labels shows what there is");
        }
        if (std::none_of(instances.begin(), instances.end(), [](const auto* i) { return i->accepts; })) {
            return off("'" + host.host + "' has no ready endpoint");
        }
        std::vector<std::uint16_t> missing;
        for (auto& target : plan_.targets) {
            target = target_at(target.service_port, instances);
            if (target.endpoints.empty()) missing.push_back(target.service_port);
        }
        if (missing.empty()) return;
        const auto hint = "the mirror is called at the same service port as the destination";
        if (missing.size() == ports.size())
            return off("'" + host.host + "' has no endpoint at " + port_list(missing), hint);
        warn("'" + host.host + "' has no endpoint at " + port_list(missing) + ": calls there are not mirrored", hint);
    }

    void off(const std::string& reason, std::string hint = {}) {
        plan_.mirror_off_reason = reason;
        warn("the mirror is off: " + reason, std::move(hint));
    }

    void warn(std::string message, std::string hint) {
        context_.diagnostics.add(Severity::warning, {rule_.location.file, rule_.mirror->at}, "spec.mirror",
                                 std::move(message), std::move(hint));
    }

    const RouteRule& rule_;
    const ResolveContext& context_;
    PlanRule& plan_;
};

}  // namespace

std::set<Endpoint> resolve_mirror(const RouteRule& rule, const std::vector<const HostEntry*>& destinations,
                                  const ResolveContext& context, PlanRule& plan) {
    return MirrorResolver(rule, context, plan).run(destinations);
}

}  // namespace umbra::rules
