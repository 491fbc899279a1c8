// The status of one RouteRule or MirrorPolicy, summed up over the nodes that report it. Pure.
#pragma once

#include <string>
#include <vector>

#include "kube/node_lease.h"

namespace umbra::kube {

struct NodeVerdict {
    std::string node;
    const RuleReport* rule = nullptr;
};

// The `status` to write: conditions Accepted, ResolvedRefs and Programmed, observedGeneration and nodes. Null when
// `current` says all that already, or no node reports the object. lastTransitionTime stays where the status stays;
// conditions of other writers stay as they are.
Json sum_status(const std::vector<NodeVerdict>& nodes, const Json& current, const std::string& now);

}  // namespace umbra::kube
