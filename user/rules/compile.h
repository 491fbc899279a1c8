// Compiling: all RouteRules and the registry to one Plan. Deterministic and independent of the order of documents.
//
// Which rule a flow or request belongs to:
//   - A rule matches calls of its destination service, at every TCP port, that fulfil all of its `match`.
//   - The rule with the highest precedence wins, among equals the first by "namespace/name". Nothing is merged: a rule
//     without mirror that wins mirrors nothing, and what stands behind a catch-all never applies.
//   - `route` does not decide which rule wins. It says which endpoints' flows the winner mirrors: the union of the
//     entries with a weight above 0, a single entry always, everything without a route. Endpoints of the rule's own
//     mirror are never among them.
// Where a rule wins at an endpoint that its route does not select and other rules could follow, the plan has a
// stand-in for it: a rule "KEY#unselected" without mirror.
#pragma once

#include <string>

#include "rules/document_set.h"
#include "rules/plan.h"
#include "rules/target_guard.h"

namespace umbra::rules {

struct CompileOptions {
    std::string cluster_domain = "cluster.local";
    std::string node;  // endpoints known to be on another node are no origins; empty: every endpoint can be one
    const DocumentSet* beneath = nullptr;  // further documents, where a load's own have none of the same key
    TargetGuard targets = {};
};

// The plan is complete only when no error was reported.
Plan compile(const DocumentSet& documents, const CompileOptions& options, Diagnostics& diagnostics);

}  // namespace umbra::rules
