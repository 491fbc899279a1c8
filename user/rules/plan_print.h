// A plan as text for people: stable, so that it can be compared. Also the pieces that explanations share.
#pragma once

#include <string>

#include "rules/plan.h"

namespace umbra::rules {

std::string print_plan(const Plan& plan);

std::string print_condition(const HeaderCondition& condition);  // "uri prefix '/v1'"
std::string print_request(const PlanRule& rule);                // all conditions, or "any"
std::string print_sources(const PlanRule& rule);                // "10.0.0.1/32, 10.0.0.2/32", "any", "none"
std::string print_mirror(const PlanMirror& mirror);             // "httpbin.default.svc.cluster.local version=v2"
std::string print_mirrors(const PlanRule& rule);                // all of them, or ""
std::string print_share(const PlanMirror& mirror);              // "12.5 % of flows"
std::string print_silence(const PlanRule& rule);                // why a rule without mirrors has none

}  // namespace umbra::rules
