#include "differential/shrink.h"

namespace umbra::differential {

namespace {

using Fails = std::function<bool(const Script&)>;

bool try_instead(Script& script, const Script& smaller, const Fails& fails) {
    if (smaller == script || !fails(smaller)) return false;
    script = smaller;
    return true;
}

bool drop_steps(Script& script, const Fails& fails) {
    bool changed = false;
    for (std::size_t run = script.steps.size() / 2; run > 0; run /= 2) {
        for (std::size_t at = 0; at + run <= script.steps.size();) {
            Script smaller = script;
            const auto first = smaller.steps.begin() + static_cast<std::ptrdiff_t>(at);
            smaller.steps.erase(first, first + static_cast<std::ptrdiff_t>(run));
            if (try_instead(script, smaller, fails)) {
                changed = true;
            } else {
                ++at;
            }
        }
    }
    return changed;
}

bool reset_fields(Script& script, const Fails& fails) {
    bool changed = false;
    for (const auto& field : script_fields()) {
        Script smaller = script;
        smaller.*field.member = Script{}.*field.member;
        changed |= try_instead(script, smaller, fails);
    }
    for (std::size_t i = 0; i < script.steps.size(); ++i) {
        for (const auto& field : step_fields()) {
            Script smaller = script;
            smaller.steps[i].*field.member = Step{}.*field.member;
            changed |= try_instead(script, smaller, fails);
        }
    }
    return changed;
}

bool halve_numbers(Script& script, const Fails& fails) {
    bool changed = false;
    for (std::size_t i = 0; i < script.steps.size(); ++i) {
        for (int Step::*const member : {&Step::len, &Step::at, &Step::ack, &Step::tsval}) {
            if (script.steps[i].*member == kAbsent) continue;
            while (script.steps[i].*member > 1 || script.steps[i].*member < -1) {
                Script smaller = script;
                smaller.steps[i].*member /= 2;
                if (!try_instead(script, smaller, fails)) break;
                changed = true;
            }
        }
    }
    return changed;
}

}  // namespace

Script shrink(Script script, const Fails& fails) {
    for (bool changed = true; changed;) {
        changed = drop_steps(script, fails);
        changed |= reset_fields(script, fails);
        changed |= halve_numbers(script, fails);
    }
    return script;
}

}  // namespace umbra::differential
