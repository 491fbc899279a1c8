// PlanView: one worker's own copy of the live plan, with the ledger rows of its rules: the Router of its replay
// stage. Workers share nothing, so each has one. Flows and requests that began under an earlier plan are routed by
// the present one at their next request.
#pragma once

#include <memory>
#include <unordered_set>
#include <vector>

#include "base/ledger.h"
#include "replay/router.h"
#include "rules/plan.h"
#include "rules/request_match.h"
#include "terminator/plan_message.h"

namespace umbra {

class PlanView : public Router {
public:
    // rows: this worker's UMBRA_MAX_RULES rows of the ledger; they outlive the view.
    explicit PlanView(umbra_ledger_row* rows) : rows_(rows) {}

    // On failure the previous plan stays.
    Result<void> replace(const PlanMessage& message);

    // The row of the rule that a flow is cloned for: the first mirroring candidate that its client fits, as in the
    // BPF program. Null: no rule covers it.
    umbra_ledger_row* flow_row(const FlowTuple& flow) const;
    Selection choose(const FlowTuple& flow, const RequestHead* head, TimeNs now) override;

private:
    struct State {
        rules::Plan plan;
        rules::PlanMatcher matcher;
        std::vector<umbra_ledger_row*> rows;                     // by rule index
        std::unordered_set<const rules::MirrorTarget*> guarded;  // mirrors that are origins themselves
        std::vector<bool> conditional;                           // by origin index: requests must be looked at
    };
    void guard_targets(State& state) const;
    const rules::RequestView* view_of(const RequestHead& head);

    umbra_ledger_row* rows_;
    std::unique_ptr<State> state_;
    Choice choice_;               // the latest
    rules::RequestView request_;  // reused, so that routing allocates nothing in the steady state
};

}  // namespace umbra
