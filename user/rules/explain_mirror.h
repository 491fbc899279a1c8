// What becomes of a flow or request at the mirrors of the rule that won, in words.
#pragma once

#include <cstddef>
#include <string>

#include "rules/plan.h"

namespace umbra::rules {

// What was asked about; null: not given.
struct Asked {
    const FlowTuple* flow = nullptr;
    const RequestView* request = nullptr;
};

inline constexpr std::ptrdiff_t kShownEndpoints = 8;

std::string list_some(const std::vector<Endpoint>& endpoints);  // the first few
std::string explain_mirrors(const PlanRule& rule, const PlanOrigin& origin, const Asked& asked);

}  // namespace umbra::rules
