#include "rules/registry.h"

#include <algorithm>
#include <tuple>

#include "rules/host_name.h"

namespace umbra::rules {

namespace {

const Labels kNoLabels;

std::string join(const std::string& ns, const std::string& name) { return ns + "/" + name; }

bool of_family(const Service& service, const IpAddress& address) {
    return address.is_v4() ? service.ipv4 : service.ipv6;
}

std::map<std::uint16_t, std::uint16_t> pod_ports(const Service& service, const Pod& pod) {
    std::map<std::uint16_t, std::uint16_t> ports;
    for (const auto& port : service.ports) {
        if (port.target.name.empty()) {
            ports.emplace(port.number, port.target.number);
        } else if (const auto named = pod.ports.find(port.target.name); named != pod.ports.end()) {
            ports.emplace(port.number, named->second);
        }
    }
    return ports;
}

std::map<std::uint16_t, std::uint16_t> slice_ports(const Service& service, const EndpointSlice& slice) {
    std::map<std::uint16_t, std::uint16_t> ports;
    for (const auto& port : service.ports) {
        const auto found = slice.ports.find(port.name);
        if (found != slice.ports.end()) ports.emplace(port.number, found->second);
    }
    return ports;
}

void add_entry(const ServiceEntry& source, HostEntry& entry) {
    for (const auto& endpoint : source.endpoints) {
        Instance instance{endpoint.address, &endpoint.labels, {}, true};
        for (const auto& port : source.ports) {
            const auto own = endpoint.ports.find(port.name);
            instance.ports.emplace(port.number, own == endpoint.ports.end() ? port.target.number : own->second);
        }
        entry.instances.push_back(std::move(instance));
    }
    for (const auto& port : source.ports) entry.ports.push_back(port.number);
}

template <class T>
void sort_unique(std::vector<T>& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

bool labels_match(const Labels& selector, const Labels& labels) {
    return std::all_of(selector.begin(), selector.end(), [&](const auto& wanted) {
        const auto found = labels.find(wanted.first);
        return found == labels.end() ? wanted.second.empty() : found->second == wanted.second;
    });
}

Registry::Registry(const DocumentSet& documents, std::string_view cluster_domain) {
    for (const auto* service : documents.all<Service>()) {
        hosts_[service->name + "." + service->ns + ".svc." + std::string(cluster_domain)].service = service;
    }
    for (const auto* entry : documents.all<ServiceEntry>()) {
        for (const auto& host : entry->hosts) hosts_[host].entries.push_back(entry);
    }
    for (const auto* pod : documents.all<Pod>()) {
        pods_by_namespace_[pod->ns].push_back(pod);
        pods_[join(pod->ns, pod->name)] = pod;
    }
    for (const auto* slice : documents.all<EndpointSlice>()) slices_[join(slice->ns, slice->service)].push_back(slice);
}

const HostEntry* Registry::find(const std::string& host) {
    const auto found = hosts_.find(host);
    if (found == hosts_.end()) return nullptr;
    if (!found->second.built) build(host, found->second);
    return &*found->second.built;
}

std::vector<const HostEntry*> Registry::matching(const std::string& pattern) {
    std::vector<const HostEntry*> result;
    const auto block = pattern.find('/') == std::string::npos ? std::nullopt : IpPrefix::parse(pattern);
    const auto inside = [&](const IpAddress& address) { return block->contains(address); };
    for (const auto& [host, sources] : hosts_) {
        if (!block && !host_matches(pattern, host)) continue;
        const auto* entry = find(host);
        const bool has_address =
            block && (std::any_of(entry->addresses.begin(), entry->addresses.end(), inside) ||
                      std::any_of(entry->instances.begin(), entry->instances.end(),
                                  [&](const Instance& instance) { return inside(instance.address); }));
        if (!block || has_address) result.push_back(entry);
    }
    return result;
}

std::vector<std::string_view> Registry::host_names() const {
    std::vector<std::string_view> names;
    for (const auto& [host, sources] : hosts_) names.push_back(host);
    return names;
}

void Registry::build(const std::string& host, Sources& sources) const {
    HostEntry entry;
    entry.host = host;
    if (sources.service) add_service(*sources.service, entry);
    for (const auto* source : sources.entries) add_entry(*source, entry);
    sort_unique(entry.ports);
    const auto order = [](const Instance& i) { return std::tie(i.address, i.ports, *i.labels, i.accepts); };
    std::sort(entry.instances.begin(), entry.instances.end(),
              [&](const Instance& a, const Instance& b) { return order(a) < order(b); });
    sources.built = std::move(entry);
}

void Registry::add_service(const Service& service, HostEntry& entry) const {
    for (const auto& port : service.ports) entry.ports.push_back(port.number);
    entry.addresses = service.cluster_ips;
    entry.external_name = service.external_name;
    if (service.external_name) return;
    // EndpointSlices know more than pods: readiness gates, dead nodes, endpoints without a pod.
    const auto slices = slices_.find(join(service.ns, service.name));
    if (slices == slices_.end()) return add_pods(service, entry);
    for (const auto* slice : slices->second) add_slice(service, *slice, entry);
}

void Registry::add_pods(const Service& service, HostEntry& entry) const {
    const auto pods = pods_by_namespace_.find(service.ns);
    if (!service.selector || pods == pods_by_namespace_.end()) return;
    for (const auto* pod : pods->second) {
        if (pod->finished || !labels_match(*service.selector, pod->labels)) continue;
        const bool accepts = (pod->ready || service.publish_not_ready) && !pod->terminating;
        for (const auto& address : pod->addresses) {
            if (!of_family(service, address)) continue;
            entry.instances.push_back(
                {address, &pod->labels, pod_ports(service, *pod), accepts, pod->host_network, pod->node, false});
        }
    }
}

void Registry::add_slice(const Service& service, const EndpointSlice& slice, HostEntry& entry) const {
    for (const auto& endpoint : slice.endpoints) {
        const auto pod = pods_.find(endpoint.pod);
        const bool known = pod != pods_.end();
        const bool accepts = endpoint.ready && !endpoint.terminating;
        for (const auto& address : endpoint.addresses) {
            entry.instances.push_back({address, known ? &pod->second->labels : &kNoLabels, slice_ports(service, slice),
                                       accepts, known && pod->second->host_network,
                                       endpoint.node.empty() && known ? pod->second->node : endpoint.node,
                                       !known && !endpoint.pod.empty()});
        }
    }
}

}  // namespace umbra::rules
