// match.request of a RouteRule: conditions on the parts of a request, each a StringMatch or a bare string.
#pragma once

#include <vector>

#include "rules/field_reader.h"
#include "rules/plan.h"

namespace umbra::rules {

// Sorted by name; regular expressions are checked here and compiled when the plan is loaded.
std::vector<HeaderCondition> decode_request_conditions(const FieldReader& request);

}  // namespace umbra::rules
