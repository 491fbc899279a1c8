// RuleStore: the documents that the agent holds and the plan they compile to. Changing the local ones, from files and
// the control socket, is a proposal first: what is wrong, or cannot be put in force, leaves the store as it was. Those
// of a cluster come one by one and lie beneath the local ones; what is wrong with one concerns that one.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "rules/host_name.h"
#include "rules/live_set.h"
#include "rules/load.h"

namespace umbra::agent {

class RuleStore {
public:
    // node, targets: as in CompileOptions.
    explicit RuleStore(std::string node = {}, rules::TargetGuard targets = {})
        : node_(std::move(node)), targets_(std::move(targets)) {}

    const rules::DocumentSet& documents() const { return documents_; }  // the local ones
    rules::DocumentSet all_documents() const {
        rules::DocumentSet all = documents_;
        all.add_beneath(accepted_);
        return all;
    }
    const rules::Plan& plan() const { return plan_; }

    rules::LoadOutcome propose_files(const std::vector<std::string>& paths) const {
        return rules::load_paths(paths, options(&accepted_));
    }
    rules::LoadOutcome propose(const std::vector<rules::SourceText>& sources) const {
        return rules::apply_sources(documents_, sources, options(&accepted_));
    }
    rules::LoadOutcome propose_without_rule(const std::string& name) const {
        return rules::remove_rule(documents_, name, options(&accepted_));
    }
    rules::LoadOutcome propose_without_policy(const std::string& name) const {
        return rules::remove_policy(documents_, name, options(&accepted_));
    }

    void accept(rules::LoadOutcome outcome) {
        documents_ = std::move(outcome.set);
        plan_ = std::move(outcome.plan);
    }

    rules::LiveSet& live() { return live_; }
    const rules::LiveSet& live() const { return live_; }
    rules::LiveOutcome propose_live() const { return live_.compile(documents_, options(nullptr)); }
    void accept(rules::LiveOutcome outcome) {
        accepted_ = std::move(outcome.accepted);
        states_ = std::move(outcome.states);
        plan_ = std::move(outcome.plan);
    }
    const std::map<rules::ObjectKey, rules::ObjectState>& states() const { return states_; }
    std::string_view cluster_domain() const { return rules::kDefaultClusterDomain; }

private:
    rules::CompileOptions options(const rules::DocumentSet* beneath) const {
        rules::CompileOptions chosen;
        chosen.node = node_;
        chosen.beneath = beneath;
        chosen.targets = targets_;
        return chosen;
    }

    std::string node_;
    rules::TargetGuard targets_;
    rules::DocumentSet documents_;
    rules::LiveSet live_;
    rules::DocumentSet accepted_;  // of the live ones
    std::map<rules::ObjectKey, rules::ObjectState> states_;
    rules::Plan plan_;
};

}  // namespace umbra::agent
