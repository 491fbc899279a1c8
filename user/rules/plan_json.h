// A plan as JSON and back, without loss: the loader sends it to the terminator so.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "rules/plan.h"

namespace umbra::rules {

std::string plan_to_json(const Plan& plan);
// Everything is checked: types, ranges, indices, order. Regular expressions are compiled by PlanMatcher::make.
Result<Plan> plan_from_json(std::string_view text);

}  // namespace umbra::rules
