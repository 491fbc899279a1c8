// What this node says of each rule and policy of the cluster: the state of the store as kube::Report. Pure.
#pragma once

#include <string>

#include "agent/rule_store.h"
#include "kube/feed.h"

namespace umbra::agent {

// trouble: why the plan is not in force; empty if it is.
kube::Report rule_report(const RuleStore& store, const std::string& trouble);

}  // namespace umbra::agent
