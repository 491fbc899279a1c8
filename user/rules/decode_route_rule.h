// A RouteRule document to a RouteRule, strictly: unknown fields, wrong types and every rule of the language.
#pragma once

#include "rules/field_reader.h"
#include "rules/route_rule.h"

namespace umbra::rules {

// The result is complete only when no error was reported.
RouteRule decode_route_rule(const DecodeContext& context, const Node& document);

}  // namespace umbra::rules
