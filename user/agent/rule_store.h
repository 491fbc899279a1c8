// RuleStore: the documents that the agent holds and the plan they compile to. Changing it is a proposal first: what
// is wrong, or cannot be put in force, leaves the store as it was.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "rules/load.h"

namespace umbra::agent {

class RuleStore {
public:
    const rules::DocumentSet& documents() const { return documents_; }
    const rules::Plan& plan() const { return plan_; }

    rules::LoadOutcome propose_files(const std::vector<std::string>& paths) const { return rules::load_paths(paths); }
    rules::LoadOutcome propose(const std::vector<rules::SourceText>& sources) const {
        return rules::apply_sources(documents_, sources);
    }
    rules::LoadOutcome propose_without_rule(const std::string& name) const {
        return rules::remove_rule(documents_, name);
    }
    rules::LoadOutcome propose_without_policy(const std::string& name) const {
        return rules::remove_policy(documents_, name);
    }

    void accept(rules::LoadOutcome outcome) {
        documents_ = std::move(outcome.set);
        plan_ = std::move(outcome.plan);
    }

private:
    rules::DocumentSet documents_;
    rules::Plan plan_;
};

}  // namespace umbra::agent
