// PlanView: one worker's own copy of the live plan, with the ledger rows of its rules' mirrors: the Router of its
// replay stage. Workers share nothing, so each has one. Flows and requests that began under an earlier plan are routed
// by the present one at their next request.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/ledger.h"
#include "protocol/detect.h"
#include "replay/router.h"
#include "rules/plan.h"
#include "rules/request_match.h"
#include "terminator/plan_message.h"

namespace umbra {

class PlanView : public Router {
public:
    // rows: this worker's UMBRA_MAX_RULES rows of the ledger; they outlive the view.
    explicit PlanView(umbra_ledger_row* rows) : rows_(rows) {}

    // On failure the previous plan stays. A mirror whose settings are as before keeps its settings object, and with it
    // what replay holds for it.
    Result<void> replace(const PlanMessage& message);

    // The row of the rule that a flow is cloned for, as in the BPF program: the first mirroring candidate that its
    // client fits and whose percentage takes it, else the first that its client fits. Null: no rule covers it.
    umbra_ledger_row* flow_row(const FlowTuple& flow) const;
    // What that rule says its flows speak; nothing: their first bytes decide.
    std::optional<Detection> fixed_protocol(const FlowTuple& flow) const;

    Selection choose(const FlowTuple& flow, const RequestHead* head, TimeNs now) override;

private:
    using Settings = std::shared_ptr<const rules::MirrorSettings>;
    struct Mirror {
        umbra_ledger_row* row = nullptr;
        std::uint64_t threshold = 0;  // of sampling
        Settings settings;
    };
    struct Rule {
        std::uint32_t seed = 0;
        std::uint64_t kernel_threshold = 0;
        umbra_ledger_row* row = nullptr;
        std::vector<Mirror> mirrors;
    };
    struct State {
        rules::Plan plan;
        rules::PlanMatcher matcher;
        std::vector<Rule> rules;                                 // as in the plan
        std::map<std::string, Settings> settings;                // by slot key
        std::unordered_set<const rules::MirrorTarget*> guarded;  // mirrors that are origins themselves
        std::vector<bool> conditional;                           // by origin index: requests must be looked at
    };
    void add_rules(State& state, const std::vector<std::uint32_t>& slots) const;
    Settings settings_for(const std::string& key, const rules::MirrorSettings& settings) const;
    void guard_targets(State& state) const;
    std::optional<std::uint32_t> flow_rule(const FlowTuple& flow) const;
    const rules::RequestView* view_of(const RequestHead& head);
    bool takes(const Rule& rule, const Mirror& mirror, const FlowTuple& flow, const RequestHead* head) const;
    Choice judge(const Rule& rule, const Mirror& mirror, const FlowTuple& flow, const RequestHead* head) const;

    umbra_ledger_row* rows_;
    std::unique_ptr<State> state_;
    std::uint64_t requests_ = 0;   // asked about so far: what sampling by request counts
    std::vector<Choice> choices_;  // the latest
    rules::RequestView request_;   // reused, so that routing allocates nothing in the steady state
};

}  // namespace umbra
