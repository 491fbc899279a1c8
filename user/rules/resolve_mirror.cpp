#include "rules/resolve_mirror.h"

#include <algorithm>
#include <map>

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

// What is called, the mirror's own instances aside, is on loopback, all of it.
bool on_loopback(const std::vector<const HostEntry*>& destinations, const std::vector<const Instance*>& mirrors) {
    bool any = false;
    for (const auto* host : destinations) {
        for (const auto& instance : host->instances) {
            if (std::find(mirrors.begin(), mirrors.end(), &instance) != mirrors.end()) continue;
            if (!is_loopback(instance.address)) return false;
            any = true;
        }
    }
    return any;
}

std::string port_list(const std::vector<std::uint16_t>& ports) {
    std::string text;
    for (const auto port : ports) text += (text.empty() ? "" : ", ") + std::to_string(port);
    return (ports.size() == 1 ? "port " : "ports ") + text;
}

class MirrorResolver {
public:
    MirrorResolver(const WrittenMirror& written, const ResolveContext& context, PlanMirror& mirror)
        : written_(written), context_(context), mirror_(mirror) {}

    std::set<Endpoint> run(const std::vector<const HostEntry*>& destinations) {
        mirror_.host = resolve_host(written_.ref, written_.ns, context_.cluster_domain);
        mirror_.labels = written_.ref.labels;
        name_tls_peer();
        const auto ports = ports_of(destinations);
        for (const auto port : ports) mirror_.targets.push_back({port, {}});
        if (mirror_.host.find_first_of("*/") != std::string::npos) {
            off("'" + mirror_.host + "' names no single service", "name one service");
            return {};
        }
        const auto* host = context_.registry.find(mirror_.host);
        if (!host) {
            const auto close = did_you_mean(mirror_.host, context_.registry.host_names());
            off("no document describes the host '" + mirror_.host + "'",
                close.empty() ? "give its Service and Pods, or a ServiceEntry, with -f" : close, true);
            return {};
        }
        const auto instances = instances_of(*host, mirror_.labels);
        resolve_targets(*host, instances, ports);
        if (mirror_.off_reason.empty()) leave_out_refused(on_loopback(destinations, instances));
        std::set<Endpoint> shadows;
        for (const auto* instance : instances) {
            for (const auto& [service_port, port] : instance->ports) shadows.insert({instance->address, port});
        }
        return shadows;
    }

private:
    // Whom to expect if the policy does not say: whoever the copies are addressed to.
    void name_tls_peer() {
        auto& settings = mirror_.settings;
        if (!settings.tls.on || settings.host == HostPolicy::literal) return;  // the literal names it
        if (settings.tls.server_name.empty()) settings.tls.server_name = mirror_.host;
    }

    void resolve_targets(const HostEntry& host, const std::vector<const Instance*>& instances,
                         const std::set<std::uint16_t>& ports) {
        if (instances.empty()) {
            if (host.external_name)
                return off("'" + host.host + "' is an ExternalName service, which has no endpoints");
            const auto labels = describe(mirror_.labels);
            return off("'" + host.host + "' has no endpoint" + (labels.empty() ? "" : " with the labels " + labels),
                       "kubectl get pods --show-labels shows what there is");
        }
        if (std::none_of(instances.begin(), instances.end(), [](const auto* i) { return i->accepts; })) {
            return off("'" + host.host + "' has no ready endpoint");
        }
        std::vector<std::uint16_t> missing;
        for (auto& target : mirror_.targets) {
            target = target_at(target.service_port, instances);
            if (target.endpoints.empty()) missing.push_back(target.service_port);
        }
        if (missing.empty()) return;
        const auto hint = "the mirror is called at the same service port as the destination";
        if (missing.size() == ports.size())
            return off("'" + host.host + "' has no endpoint at " + port_list(missing), hint);
        warn("'" + host.host + "' has no endpoint at " + port_list(missing) + ": calls there are not mirrored", hint);
    }

    void leave_out_refused(bool loopback_destination) {
        std::map<std::string, std::set<Endpoint>> refused;  // by what they are
        bool left = false;
        for (auto& target : mirror_.targets) {
            std::erase_if(target.endpoints, [&](const Endpoint& endpoint) {
                const auto what = context_.targets.refuses(endpoint, loopback_destination);
                if (!what.empty()) refused[what].insert(endpoint);
                return !what.empty();
            });
            left = left || !target.endpoints.empty();
        }
        std::string all;
        for (const auto& [what, endpoints] : refused) all += (all.empty() ? "" : "; ") + refusal(what, endpoints);
        if (all.empty()) return;
        const auto hint = "--allow-targets and --only-targets of the agent say where copies may go";
        left ? warn(all, hint) : off(all, hint);
    }

    static std::string refusal(const std::string& what, const std::set<Endpoint>& endpoints) {
        constexpr std::size_t kNamed = 3;
        std::string names;
        std::size_t count = 0;
        for (const auto& endpoint : endpoints) {
            if (count++ < kNamed) names += (names.empty() ? "" : ", ") + endpoint.to_string();
        }
        if (count > kNamed) names += " and " + std::to_string(count - kNamed) + " more";
        return names + (count == 1 ? " gets no copies: it is " : " get no copies: each is ") + what;
    }

    void off(const std::string& reason, std::string hint = {}, bool unresolved = false) {
        mirror_.off_reason = reason;
        warn("the mirror is off: " + reason, std::move(hint), unresolved);
    }

    void warn(std::string message, std::string hint, bool unresolved = false) {
        context_.diagnostics.add({Severity::warning, written_.file, written_.ref.at.line, written_.ref.at.column,
                                  written_.path, std::move(message), std::move(hint), unresolved});
    }

    const WrittenMirror& written_;
    const ResolveContext& context_;
    PlanMirror& mirror_;
};

}  // namespace

std::set<Endpoint> resolve_mirror(const WrittenMirror& written, const std::vector<const HostEntry*>& destinations,
                                  const ResolveContext& context, PlanMirror& mirror) {
    return MirrorResolver(written, context, mirror).run(destinations);
}

}  // namespace umbra::rules
