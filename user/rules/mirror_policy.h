// MirrorPolicy: one document of kind MirrorPolicy (umbra.dev/v1alpha1) as values, checked by itself: how a RouteRule's
// mirror is served, and which further mirrors the rule has.
#pragma once

#include <string>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/mirror_settings.h"
#include "rules/route_rule.h"

namespace umbra::rules {

// What can be said of each mirror.
struct MirrorOptions {
    double percent = 100.0;
    MirrorSettings settings;
};

struct PolicyMirror {
    ServiceRef ref;
    MirrorOptions options;
};

struct MirrorPolicy {
    std::string name;
    std::string ns = "default";
    std::string target;  // the name of a RouteRule in the same namespace
    Position target_at;
    Protocol protocol = Protocol::automatic;
    MirrorOptions options;              // of the rule's own mirror
    std::vector<PolicyMirror> mirrors;  // the further ones, with what they inherit
    Location location;

    std::string key() const { return ns + "/" + name; }
    std::string rule_key() const { return ns + "/" + target; }
};

}  // namespace umbra::rules
