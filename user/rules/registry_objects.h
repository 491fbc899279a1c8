// The objects that say who serves what, as values: Service, Pod, EndpointSlice of Kubernetes and ServiceEntry of Istio.
// Only the fields that Umbra reads. How they fit together is the registry's business.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "net/ip_address.h"
#include "rules/diagnostic.h"
#include "rules/route_rule.h"

namespace umbra::rules {

// A port of the target: a number, or the name of a container's port.
struct TargetPort {
    std::uint16_t number = 0;
    std::string name;
};

struct ServicePort {
    std::string name;
    std::uint16_t number = 0;
    TargetPort target;
};

struct Service {
    std::string name, ns;
    std::optional<Labels> selector;  // absent: the endpoints come from EndpointSlices
    std::vector<ServicePort> ports;  // TCP only
    std::vector<IpAddress> cluster_ips;
    bool ipv4 = true, ipv6 = true;  // address families of its endpoints
    bool external_name = false;
    bool publish_not_ready = false;
    Location location;
};

struct Pod {
    std::string name, ns;
    std::string node;
    Labels labels;
    std::vector<IpAddress> addresses;
    std::map<std::string, std::uint16_t> ports;  // named container ports, TCP
    bool finished = false;                       // succeeded or failed: its addresses are no longer its own
    bool ready = true;
    bool terminating = false;
    bool host_network = false;
    Location location;
};

struct SliceEndpoint {
    std::vector<IpAddress> addresses;
    bool ready = true;
    bool terminating = false;
    std::string pod;   // "namespace/name", empty without a targetRef
    std::string node;  // empty when not said
};

struct EndpointSlice {
    std::string name, ns;
    std::string service;
    std::vector<SliceEndpoint> endpoints;
    std::map<std::string, std::uint16_t> ports;  // by the name of the service's port, which may be empty
    Location location;
};

struct EntryEndpoint {
    IpAddress address;
    std::map<std::string, std::uint16_t> ports;  // overrides, by name of the entry's port
    Labels labels;
};

struct ServiceEntry {
    std::string name, ns;
    std::vector<std::string> hosts;
    std::vector<ServicePort> ports;
    std::vector<EntryEndpoint> endpoints;
    Location location;
};

}  // namespace umbra::rules
