// Relations between rules that a reader of single rules does not see: which rule makes another one dead, and rings of
// mirrors that feed each other.
#pragma once

#include <span>

#include "rules/resolve.h"

namespace umbra::rules {

// True when the list of candidates ends here: every call that reaches this rule is matched by it.
bool is_catch_all(const PlanRule& rule);

// rules: best first. One warning for each rule that can never win.
void report_dead_rules(std::span<const ResolvedRule> rules, Diagnostics& diagnostics);

// One warning for each rule whose copies arrive, over other rules, at endpoints that it mirrors itself.
void report_mirror_loops(std::span<const ResolvedRule> rules, Diagnostics& diagnostics);

}  // namespace umbra::rules
