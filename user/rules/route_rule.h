// RouteRule: one document of kind RouteRule (config.istio.io/v1alpha2) as values, checked but not yet resolved.
// Fields that only a proxy in the path can enforce are validated on decoding and not kept.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "net/ip_address.h"
#include "rules/diagnostic.h"
#include "rules/plan.h"

namespace umbra::rules {

using Labels = std::map<std::string, std::string>;

// IstioService: either `name` with an optional namespace and domain, or `service`: a host, a wildcard or a CIDR block.
struct ServiceRef {
    std::string name;
    std::string ns;
    std::string domain;
    std::string service;
    Labels labels;
    Position at;
};

// DestinationWeight. Weights are shares of traffic that Umbra does not steer: they only say which entries count.
struct RouteEntry {
    std::optional<ServiceRef> destination;
    Labels labels;
    std::int32_t weight = 0;
    Position at;
};

// All given parts must hold.
struct RuleMatch {
    std::optional<ServiceRef> source;
    std::vector<IpPrefix> source_subnets;
    std::vector<IpPrefix> destination_subnets;
    std::vector<HeaderCondition> request;  // sorted by name
};

struct RouteRule {
    std::string name;
    std::string ns = "default";
    ServiceRef destination;
    std::int32_t precedence = 0;
    RuleMatch match;
    std::vector<RouteEntry> route;
    std::optional<ServiceRef> mirror;
    Location location;

    std::string key() const { return ns + "/" + name; }
};

}  // namespace umbra::rules
