#include "rules/decode_service_entry.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "rules/decode_kubernetes.h"
#include "rules/host_name.h"
#include "rules/metadata.h"
#include "rules/service_ref.h"
#include "rules/suggest.h"

namespace umbra::rules {

namespace {

constexpr std::array<std::string_view, 9> kProtocols{"HTTP", "HTTPS", "GRPC",     "HTTP2", "MONGO",
                                                     "TCP",  "TLS",   "GRPC-WEB", "UDP"};

std::string upper_case(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
    return text;
}

void decode_hosts(const FieldReader& spec, ServiceEntry& entry) {
    for (const auto& host : spec.texts("hosts")) {
        if (!is_domain_name(host.value) && !is_wildcard_host(host.value)) {
            spec.report(Severity::error, host.at, host.path, "'" + host.value + "' is no host name",
                        "lower-case labels with dots, or *.x");
        }
        entry.hosts.push_back(host.value);
    }
    const auto* hosts = spec.get("hosts");
    if (!hosts || (hosts->kind == Node::Kind::list && hosts->items.empty())) {
        spec.error("hosts", "a service entry must have a host");
    }
}

void decode_entry_port(const FieldReader& fields, ServiceEntry& entry) {
    fields.allow_only({"number", "name", "protocol", "targetPort"});
    ServicePort port;
    port.name = fields.text("name").value_or("");
    port.number = static_cast<std::uint16_t>(fields.integer("number", 1, 65535).value_or(0));
    port.target.number = static_cast<std::uint16_t>(fields.integer("targetPort", 1, 65535).value_or(port.number));
    if (!fields.has("number")) fields.error("number", "is required");
    if (!fields.has("name")) fields.error("name", "is required", "name: http");
    const auto protocol = upper_case(fields.text("protocol").value_or("TCP"));
    if (std::find(kProtocols.begin(), kProtocols.end(), protocol) == kProtocols.end()) {
        fields.error("protocol", "'" + protocol + "' is no protocol", did_you_mean(protocol, kProtocols));
    }
    for (const auto& other : entry.ports) {
        if (other.name == port.name) fields.error("name", "port name '" + port.name + "' is given twice");
        if (other.number == port.number && port.number != 0) {
            fields.error("number", "port " + std::to_string(port.number) + " is given twice");
        }
    }
    if (protocol != "UDP") entry.ports.push_back(std::move(port));
}

void decode_endpoint_ports(const FieldReader& fields, const ServiceEntry& entry, EntryEndpoint& endpoint) {
    const auto ports = fields.message("ports");
    if (!ports) return;
    for (const auto& member : ports->node().members) {
        const bool known = std::any_of(entry.ports.begin(), entry.ports.end(),
                                       [&](const ServicePort& port) { return port.name == member.key; });
        if (!known) ports->error(member.key, "the entry has no port of this name");
        const auto number = ports->integer(member.key, 1, 65535);
        if (number) endpoint.ports[member.key] = static_cast<std::uint16_t>(*number);
    }
}

void decode_endpoint(const FieldReader& fields, ServiceEntry& entry) {
    fields.allow_only({"address", "ports", "labels", "network", "locality", "weight", "serviceAccount"});
    EntryEndpoint endpoint;
    const auto address = fields.text("address");
    if (!fields.has("address")) fields.error("address", "is required");
    endpoint.labels = decode_labels(fields);
    decode_endpoint_ports(fields, entry, endpoint);
    if (!address) return;
    const auto parsed = IpAddress::parse(*address);
    if (!parsed) {
        return fields.warn("address", "'" + *address + "' is not an IP address; the endpoint is left out",
                           "Umbra resolves no names: write the address");
    }
    endpoint.address = *parsed;
    entry.endpoints.push_back(std::move(endpoint));
}

// Without endpoints, the addresses of the host itself serve it.
void decode_own_addresses(const FieldReader& spec, ServiceEntry& entry) {
    for (const auto& text : spec.texts("addresses")) {
        const auto address = IpAddress::parse(text.value);
        if (address && !spec.has("endpoints")) {
            entry.endpoints.push_back({*address, {}, {}});
        } else if (!address && !IpPrefix::parse(text.value)) {
            spec.report(Severity::error, text.at, text.path, "'" + text.value + "' is no address and no CIDR block");
        } else if (!address && !spec.has("endpoints")) {
            spec.report(Severity::warning, text.at, text.path, "a CIDR block names no endpoints; it is left out",
                        "list the endpoints");
        }
    }
}

void check_resolution(const FieldReader& spec, ServiceEntry& entry) {
    const auto resolution = spec.text("resolution").value_or("NONE");
    if (resolution == "STATIC" || resolution == "NONE") return;
    constexpr std::array<std::string_view, 4> kKnown{"NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN"};
    if (std::find(kKnown.begin(), kKnown.end(), resolution) == kKnown.end()) {
        return spec.error("resolution", "'" + resolution + "' is no resolution", did_you_mean(resolution, kKnown));
    }
    if (entry.endpoints.empty()) {
        spec.warn("resolution", resolution + " is not supported: the entry has no endpoints",
                  "use STATIC and list the endpoints with their addresses");
    }
}

}  // namespace

ServiceEntry decode_service_entry(const DecodeContext& context, const Node& document) {
    const FieldReader fields(context, document, "");
    fields.allow_only({"apiVersion", "kind", "metadata", "spec", "status"});
    check_metadata_fields(fields);
    const auto metadata = decode_metadata(fields);
    ServiceEntry entry{metadata.name, metadata.ns, {}, {}, {}, {context.file, document.at}};
    const auto spec = fields.message("spec");
    if (!spec) {
        if (!fields.has("spec")) fields.error("spec", "is required");
        return entry;
    }
    spec->allow_only({"hosts", "addresses", "ports", "location", "resolution", "endpoints", "workloadSelector",
                      "exportTo", "subjectAltNames"});
    decode_hosts(*spec, entry);
    for (const auto& port : spec->messages("ports")) decode_entry_port(port, entry);
    if (!spec->has("ports")) spec->error("ports", "a service entry must have a port");
    for (const auto& endpoint : spec->messages("endpoints")) decode_endpoint(endpoint, entry);
    decode_own_addresses(*spec, entry);
    check_resolution(*spec, entry);
    if (spec->has("workloadSelector")) {
        spec->warn("workloadSelector", "is not supported; ignored", "list the endpoints with their addresses");
    }
    return entry;
}

}  // namespace umbra::rules
