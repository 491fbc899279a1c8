// Which rule a flow or request belongs to, in words. The decision is select_rule()'s, as in the data path.
#pragma once

#include <optional>
#include <string>

#include "rules/plan.h"

namespace umbra::rules {

std::string explain_flow(const Plan& plan, const FlowTuple& flow);
// Without a flow: for the services that the request's authority names, or else for all; the client is then unknown.
std::string explain_request(const Plan& plan, const std::optional<FlowTuple>& flow, const RequestView& request);

}  // namespace umbra::rules
