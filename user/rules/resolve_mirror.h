// One mirror of a rule: the endpoints that get the copies, per service port.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "rules/resolve.h"

namespace umbra::rules {

// A mirror as it is written, and where.
struct WrittenMirror {
    const ServiceRef& ref;
    std::string_view ns;  // of the document that names it
    std::string file;
    std::string path;
};

// Fills host, labels, targets and off_reason. Returns all endpoints of the mirror, also those that get no copies now:
// flows to them are never mirrored by its rule.
std::set<Endpoint> resolve_mirror(const WrittenMirror& written, const std::vector<const HostEntry*>& destinations,
                                  const ResolveContext& context, PlanMirror& mirror);

}  // namespace umbra::rules
