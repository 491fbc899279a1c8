// Which namespaces' objects the rules need, for a source that can fetch them selectively.
#pragma once

#include <set>
#include <string>

#include "rules/document_set.h"

namespace umbra::rules {

struct ServiceDemand {
    bool everything = false;               // a rule names services by wildcard or address block
    std::set<std::string> namespaces;      // whose Services and EndpointSlices are needed
    std::set<std::string> pod_namespaces;  // whose Pods are, of every node: labels select among them
    bool operator==(const ServiceDemand&) const = default;
};

ServiceDemand demand_of(const DocumentSet& documents, std::string_view cluster_domain);

}  // namespace umbra::rules
