// Resolving: one RouteRule to addresses. What a rule means for the others is compile's business.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "rules/plan.h"
#include "rules/registry.h"
#include "rules/target_guard.h"

namespace umbra::rules {

// A server endpoint of the rule's destination: flows to it are calls that the rule matches.
struct Covered {
    Endpoint endpoint;
    std::string host;
    std::uint16_t service_port = 0;
    bool selected = false;  // the route selects it and it is no endpoint of one of the rule's mirrors
    bool elsewhere = false;  // on another node, whose agent mirrors it
};

struct ResolvedRule {
    const RouteRule* rule = nullptr;
    PlanRule plan;
    std::vector<Covered> covered;
    std::vector<IpPrefix> destination_subnets;  // normalized; empty: no condition
};

struct ResolveContext {
    Registry& registry;
    std::string_view cluster_domain;
    Diagnostics& diagnostics;
    const TargetGuard& targets;
    std::string_view node = {};  // as in CompileOptions
};

// A rule without match.tcp covers every TCP port of its destination, whatever the port's name says. policy: null
// without one.
ResolvedRule resolve_rule(const RouteRule& rule, const MirrorPolicy* policy, const ResolveContext& context);

}  // namespace umbra::rules
