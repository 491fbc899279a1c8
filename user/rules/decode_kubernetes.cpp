#include "rules/decode_kubernetes.h"

#include <algorithm>

#include "rules/metadata.h"

namespace umbra::rules {

namespace {

constexpr std::int64_t kMaxPort = 65535;

bool is_tcp(const FieldReader& port) { return port.text("protocol").value_or("TCP") == "TCP"; }

std::uint16_t decode_port(const FieldReader& fields, std::string_view name) {
    return static_cast<std::uint16_t>(fields.integer(name, 1, kMaxPort).value_or(0));
}

void add_address(const FieldReader& fields, std::string_view name, std::vector<IpAddress>& addresses) {
    const auto text = fields.text(name);
    if (!text || text->empty()) return;
    const auto address = IpAddress::parse(*text);
    if (!address) return fields.error(name, "'" + *text + "' is not an IP address");
    if (std::find(addresses.begin(), addresses.end(), *address) == addresses.end()) addresses.push_back(*address);
}

ServicePort decode_service_port(const FieldReader& fields) {
    ServicePort port;
    port.name = fields.text("name").value_or("");
    port.number = decode_port(fields, "port");
    if (!fields.has("port")) fields.error("port", "is required");
    const auto* target = fields.get("targetPort");
    if (target && target->kind == Node::Kind::string) {
        port.target.name = target->text;
    } else if (target) {
        port.target.number = decode_port(fields, "targetPort");
    } else {
        port.target.number = port.number;
    }
    return port;
}

void decode_cluster_ips(const FieldReader& spec, Service& service) {
    if (spec.text("clusterIP").value_or("None") != "None") add_address(spec, "clusterIP", service.cluster_ips);
    for (const auto& ip : spec.texts("clusterIPs")) {
        const auto address = IpAddress::parse(ip.value);
        const auto& known = service.cluster_ips;
        if (address && std::find(known.begin(), known.end(), *address) == known.end()) {
            service.cluster_ips.push_back(*address);
        }
    }
    const auto families = spec.texts("ipFamilies");
    if (families.empty()) return;
    const auto has = [&](std::string_view name) {
        return std::any_of(families.begin(), families.end(), [&](const auto& family) { return family.value == name; });
    };
    service.ipv4 = has("IPv4");
    service.ipv6 = has("IPv6");
}

void decode_container_ports(const FieldReader& container, Pod& pod) {
    for (const auto& port : container.messages("ports")) {
        const auto name = port.text("name").value_or("");
        const auto number = decode_port(port, "containerPort");
        if (!name.empty() && number != 0 && is_tcp(port)) pod.ports.emplace(name, number);
    }
}

void decode_pod_spec(const FieldReader& spec, Pod& pod) {
    pod.node = spec.text("nodeName").value_or("");
    pod.host_network = spec.boolean("hostNetwork").value_or(false);
    for (const auto& container : spec.messages("containers")) decode_container_ports(container, pod);
    // A sidecar is an init container that is kept running.
    for (const auto& container : spec.messages("initContainers")) {
        if (container.text("restartPolicy").value_or("") == "Always") decode_container_ports(container, pod);
    }
}

void decode_pod_status(const FieldReader& status, Pod& pod) {
    const auto phase = status.text("phase").value_or("Running");
    pod.finished = phase == "Succeeded" || phase == "Failed";
    pod.ready = phase == "Running";
    for (const auto& condition : status.messages("conditions")) {
        if (condition.text("type").value_or("") != "Ready") continue;
        pod.ready = pod.ready && condition.text("status").value_or("") == "True";
    }
    add_address(status, "podIP", pod.addresses);
    for (const auto& ip : status.messages("podIPs")) add_address(ip, "ip", pod.addresses);
}

SliceEndpoint decode_slice_endpoint(const FieldReader& fields, const std::string& ns) {
    SliceEndpoint endpoint;
    endpoint.addresses = decode_addresses(fields, "addresses");
    endpoint.node = fields.text("nodeName").value_or("");
    if (const auto topology = fields.message("topology"); topology && endpoint.node.empty())  // v1beta1
        endpoint.node = topology->text("kubernetes.io/hostname").value_or("");
    if (const auto conditions = fields.message("conditions")) {
        endpoint.ready = conditions->boolean("ready").value_or(true);
        endpoint.terminating = conditions->boolean("terminating").value_or(false);
    }
    if (const auto target = fields.message("targetRef"); target && target->text("kind").value_or("") == "Pod") {
        endpoint.pod = target->text("namespace").value_or(ns) + "/" + target->text("name").value_or("");
    }
    return endpoint;
}

}  // namespace

std::vector<IpAddress> decode_addresses(const FieldReader& fields, std::string_view name) {
    std::vector<IpAddress> addresses;
    for (const auto& text : fields.texts(name)) {
        if (const auto address = IpAddress::parse(text.value)) {
            addresses.push_back(*address);
        } else {
            fields.report(Severity::error, text.at, text.path, "'" + text.value + "' is not an IP address");
        }
    }
    return addresses;
}

Service decode_service(const DecodeContext& context, const Node& document) {
    const FieldReader fields(context, document, "");
    const auto metadata = decode_metadata(fields);
    Service service{metadata.name, metadata.ns, {}, {}, {}, true, true, false, false, {context.file, document.at}};
    const auto spec = fields.message("spec");
    if (!spec) return service;
    if (spec->has("selector")) service.selector = spec->text_map("selector");
    if (service.selector && service.selector->empty()) service.selector.reset();
    service.external_name = spec->text("type").value_or("") == "ExternalName";
    service.publish_not_ready = spec->boolean("publishNotReadyAddresses").value_or(false);
    for (const auto& port : spec->messages("ports")) {
        if (is_tcp(port)) service.ports.push_back(decode_service_port(port));
    }
    decode_cluster_ips(*spec, service);
    return service;
}

Pod decode_pod(const DecodeContext& context, const Node& document) {
    const FieldReader fields(context, document, "");
    const auto metadata = decode_metadata(fields);
    Pod pod;
    pod.name = metadata.name;
    pod.ns = metadata.ns;
    pod.labels = metadata.labels;
    pod.terminating = metadata.terminating;
    pod.location = {context.file, document.at};
    if (const auto spec = fields.message("spec")) decode_pod_spec(*spec, pod);
    if (const auto status = fields.message("status")) decode_pod_status(*status, pod);
    return pod;
}

EndpointSlice decode_endpoint_slice(const DecodeContext& context, const Node& document) {
    const FieldReader fields(context, document, "");
    const auto metadata = decode_metadata(fields);
    EndpointSlice slice;
    slice.name = metadata.name;
    slice.ns = metadata.ns;
    slice.location = {context.file, document.at};
    const auto label = metadata.labels.find("kubernetes.io/service-name");
    if (label != metadata.labels.end()) slice.service = label->second;
    if (fields.text("addressType").value_or("IPv4") == "FQDN") return slice;
    for (const auto& endpoint : fields.messages("endpoints")) {
        slice.endpoints.push_back(decode_slice_endpoint(endpoint, slice.ns));
    }
    for (const auto& port : fields.messages("ports")) {
        const auto number = decode_port(port, "port");
        if (number != 0 && is_tcp(port)) slice.ports.emplace(port.text("name").value_or(""), number);
    }
    return slice;
}

}  // namespace umbra::rules
