#include "kube/resource.h"

#include <cctype>

namespace umbra::kube {

const Resource kRouteRules{"RouteRule", "routerules", "config.istio.io", {"v1alpha2"}};
const Resource kMirrorPolicies{"MirrorPolicy", "mirrorpolicies", "umbra.dev", {"v1alpha1"}};
const Resource kServiceEntries{"ServiceEntry", "serviceentries", "networking.istio.io", {"v1", "v1beta1", "v1alpha3"}};
const Resource kServices{"Service", "services", "", {"v1"}};
const Resource kPods{"Pod", "pods", "", {"v1"}};
const Resource kEndpointSlices{"EndpointSlice", "endpointslices", "discovery.k8s.io", {"v1", "v1beta1"}};
const Resource kNamespaces{"Namespace", "namespaces", "", {"v1"}, false};
const Resource kLeases{"Lease", "leases", "coordination.k8s.io", {"v1"}};

std::string api_version(const Resource& resource, std::size_t version) {
    const std::string group = resource.group;
    return group.empty() ? resource.versions[version] : group + "/" + resource.versions[version];
}

std::string resource_path(const Resource& resource, std::size_t version, const std::string& ns) {
    const std::string root = *resource.group ? "/apis/" : "/api/";
    const std::string where = ns.empty() ? std::string() : "/namespaces/" + percent_encoded(ns);
    return root + api_version(resource, version) + where + "/" + resource.plural;
}

std::string percent_encoded(const std::string& text) {
    constexpr const char* kDigits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
            encoded += c;
        } else {
            encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
        }
    }
    return encoded;
}

std::string scope_name(const Scope& scope) {
    constexpr std::string_view kNode = "spec.nodeName=";
    if (scope.field_selector.starts_with(kNode)) return "node " + scope.field_selector.substr(kNode.size());
    return scope.ns.empty() ? "cluster" : "namespace " + scope.ns;
}

std::string describe(const Scope& scope) {
    const std::string place = scope_name(scope);
    const std::string joint = place == "cluster" ? " of the " : place.starts_with("node") ? " on " : " in ";
    return scope.resource->plural + joint + place;
}

}  // namespace umbra::kube
