#include "kube/trim.h"

#include <string_view>
#include <utility>

#include "kube/json_text.h"

namespace umbra::kube {

namespace {

using Keys = std::initializer_list<const char*>;

constexpr const char* kServiceLabel = "kubernetes.io/service-name";

// Copies the keys that are there; null is as good as absent.
Json pick(const Json* from, Keys keys) {
    Json picked = Json::object();
    if (!from || !from->is_object()) return picked;
    for (const char* key : keys) {
        const auto found = from->find(key);
        if (found != from->end() && !found->is_null()) picked[key] = *found;
    }
    return picked;
}

void set_unless_empty(Json& object, const char* key, Json value) {
    if (!value.empty()) object[key] = std::move(value);
}

Json metadata(const Json& object) {
    return pick(find_at(object, {"metadata"}), {"name", "namespace", "uid", "generation", "deletionTimestamp"});
}

void keep_labels(const Json& object, Json& trimmed) {
    set_unless_empty(trimmed["metadata"], "labels",
                     pick(find_at(object, {"metadata"}), {"labels"}).value("labels", Json()));
}

Json container_ports(const Json& spec, const char* list, Keys keys) {
    Json containers = Json::array();
    for (const Json& container : list_at(spec, {list})) {
        Json kept = pick(&container, keys);
        Json ports = Json::array();
        for (const Json& port : list_at(container, {"ports"}))
            ports.push_back(pick(&port, {"name", "containerPort", "protocol"}));
        set_unless_empty(kept, "ports", std::move(ports));
        if (!kept.empty()) containers.push_back(std::move(kept));
    }
    return containers;
}

void trim_pod(const Json& object, Json& trimmed) {
    keep_labels(object, trimmed);
    static const Json kNone = Json::object();
    const Json* spec = find_at(object, {"spec"});
    const Json* status = find_at(object, {"status"});
    Json kept = pick(spec, {"nodeName", "hostNetwork"});
    set_unless_empty(kept, "containers", container_ports(spec ? *spec : kNone, "containers", {}));
    set_unless_empty(kept, "initContainers",
                     container_ports(spec ? *spec : kNone, "initContainers", {"restartPolicy"}));
    trimmed["spec"] = std::move(kept);
    Json state = pick(status, {"phase", "podIP"});
    Json conditions = Json::array();
    for (const Json& condition : list_at(status ? *status : kNone, {"conditions"})) {
        if (text_at(condition, {"type"}) == "Ready") conditions.push_back(pick(&condition, {"type", "status"}));
    }
    Json addresses = Json::array();
    for (const Json& ip : list_at(status ? *status : kNone, {"podIPs"})) addresses.push_back(pick(&ip, {"ip"}));
    set_unless_empty(state, "conditions", std::move(conditions));
    set_unless_empty(state, "podIPs", std::move(addresses));
    trimmed["status"] = std::move(state);
}

void trim_service(const Json& object, Json& trimmed) {
    const Json* spec = find_at(object, {"spec"});
    Json kept = pick(spec, {"type", "selector", "clusterIP", "clusterIPs", "ipFamilies", "publishNotReadyAddresses"});
    Json ports = Json::array();
    for (const Json& port : list_at(object, {"spec", "ports"}))
        ports.push_back(pick(&port, {"name", "port", "targetPort", "protocol"}));
    set_unless_empty(kept, "ports", std::move(ports));
    trimmed["spec"] = std::move(kept);
}

Json slice_endpoint(const Json& endpoint) {
    Json kept = pick(&endpoint, {"addresses", "nodeName"});
    // v1beta1 named the node in the topology.
    const std::string node = text_at(endpoint, {"topology", "kubernetes.io/hostname"});
    if (!kept.contains("nodeName") && !node.empty()) kept["nodeName"] = node;
    set_unless_empty(kept, "conditions", pick(find_at(endpoint, {"conditions"}), {"ready", "serving", "terminating"}));
    set_unless_empty(kept, "targetRef", pick(find_at(endpoint, {"targetRef"}), {"kind", "namespace", "name", "uid"}));
    return kept;
}

void trim_slice(const Json& object, Json& trimmed) {
    const std::string service = text_at(object, {"metadata", "labels", kServiceLabel});
    if (!service.empty()) trimmed["metadata"]["labels"] = {{kServiceLabel, service}};
    trimmed["addressType"] = pick(&object, {"addressType"}).value("addressType", Json("IPv4"));
    Json endpoints = Json::array();
    for (const Json& endpoint : list_at(object, {"endpoints"})) endpoints.push_back(slice_endpoint(endpoint));
    Json ports = Json::array();
    for (const Json& port : list_at(object, {"ports"})) ports.push_back(pick(&port, {"name", "port", "protocol"}));
    trimmed["endpoints"] = std::move(endpoints);
    trimmed["ports"] = std::move(ports);
}

}  // namespace

ObjectName name_of(const Resource& resource, const Json& object) {
    return {resource.kind, text_at(object, {"metadata", "namespace"}), text_at(object, {"metadata", "name"})};
}

std::optional<Json> trim(const Resource& resource, std::size_t version, const Json& object) {
    if (name_of(resource, object).name.empty()) return std::nullopt;
    Json trimmed{
        {"apiVersion", api_version(resource, version)}, {"kind", resource.kind}, {"metadata", metadata(object)}};
    const std::string_view kind = resource.kind;
    if (kind == "Pod") {
        trim_pod(object, trimmed);
    } else if (kind == "Service") {
        trim_service(object, trimmed);
    } else if (kind == "EndpointSlice") {
        trim_slice(object, trimmed);
    } else if (kind != "Namespace") {
        const Json* spec = find_at(object, {"spec"});
        if (spec && !spec->is_null()) trimmed["spec"] = *spec;
    }
    return trimmed;
}

}  // namespace umbra::kube
