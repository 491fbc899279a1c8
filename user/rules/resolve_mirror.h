// The mirror of a rule: the endpoints that get the copies, per service port.
#pragma once

#include <set>
#include <vector>

#include "rules/resolve.h"

namespace umbra::rules {

// Fills the mirror's part of the plan's rule. Returns all endpoints of the mirror, also those that get no copies now:
// flows to them are never mirrored by this rule.
std::set<Endpoint> resolve_mirror(const RouteRule& rule, const std::vector<const HostEntry*>& destinations,
                                  const ResolveContext& context, PlanRule& plan);

}  // namespace umbra::rules
