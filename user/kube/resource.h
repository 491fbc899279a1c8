// The kinds that are watched, and where the API keeps them.
#pragma once

#include <compare>
#include <string>
#include <vector>

namespace umbra::kube {

struct Resource {
    const char* kind;
    const char* plural;
    const char* group;                  // "" is the core group
    std::vector<const char*> versions;  // the first that the API has is used
    bool namespaced = true;
};

extern const Resource kRouteRules;
extern const Resource kMirrorPolicies;
extern const Resource kServiceEntries;
extern const Resource kServices;
extern const Resource kPods;
extern const Resource kEndpointSlices;
extern const Resource kNamespaces;
extern const Resource kLeases;

// What one reflector keeps: a resource in one namespace or in all, all of it or what a selector leaves.
struct Scope {
    const Resource* resource = nullptr;
    std::string ns;  // empty: all
    std::string field_selector;
    std::string label_selector;
    auto operator<=>(const Scope&) const = default;
};

std::string api_version(const Resource& resource, std::size_t version);  // "discovery.k8s.io/v1"
// "/apis/GROUP/VERSION/namespaces/NS/PLURAL", without a query.
std::string resource_path(const Resource& resource, std::size_t version, const std::string& ns);
std::string percent_encoded(const std::string& text);
// "pods on node a", "services in namespace b": for messages and health.
std::string describe(const Scope& scope);
// What health calls the scope: "namespace b", "node a", "cluster".
std::string scope_name(const Scope& scope);

}  // namespace umbra::kube
