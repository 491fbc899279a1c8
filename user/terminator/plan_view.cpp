#include "terminator/plan_view.h"

#include <strings.h>

#include <algorithm>
#include <string>

#include "umbra/abi/limits.h"

namespace umbra {

namespace {

bool is_host(std::string_view name) { return name.size() == 4 && ::strncasecmp(name.data(), "host", 4) == 0; }

}  // namespace

Result<void> PlanView::replace(const PlanMessage& message) {
    auto matcher = rules::PlanMatcher::make(message.plan);
    if (!matcher) return matcher.error();
    auto state = std::make_unique<State>(State{message.plan, std::move(*matcher), {}, {}, {}});
    for (const auto slot : message.slots) {
        if (slot >= UMBRA_MAX_RULES)
            return Error{ErrorCode::failure, "use plan: rule slot " + std::to_string(slot) + " is out of range", {}};
        state->rows.push_back(&rows_[slot]);
    }
    for (const auto& origin : state->plan.origins)
        state->conditional.push_back(std::any_of(origin.candidates.begin(), origin.candidates.end(), [&](auto index) {
            return !state->plan.rules[index].request.empty();
        }));
    guard_targets(*state);
    state_ = std::move(state);
    return {};
}

void PlanView::guard_targets(State& state) const {
    for (const auto& rule : state.plan.rules)
        for (const auto& target : rule.targets)
            if (std::any_of(target.endpoints.begin(), target.endpoints.end(),
                            [&](const Endpoint& endpoint) { return state.plan.find_origin(endpoint) != nullptr; }))
                state.guarded.insert(&target);
}

umbra_ledger_row* PlanView::flow_row(const FlowTuple& flow) const {
    if (!state_) return nullptr;
    const auto* origin = state_->plan.find_origin(flow.server);
    if (origin == nullptr) return nullptr;
    for (const auto index : origin->candidates) {
        const auto& rule = state_->plan.rules[index];
        if (!rules::source_matches(rule, flow.client.address)) continue;
        if (rule.has_mirror) return state_->rows[index];
        if (rule.request.empty()) return nullptr;
    }
    return nullptr;
}

const rules::RequestView* PlanView::view_of(const RequestHead& head) {
    request_.method = head.method;
    request_.target = head.target;
    request_.authority = {};
    request_.headers.assign(head.headers.begin(), head.headers.end());
    for (const auto& [name, value] : head.headers)
        if (is_host(name)) request_.authority = value;
    return &request_;
}

Selection PlanView::choose(const FlowTuple& flow, const RequestHead* head, TimeNs) {
    const auto* origin = state_ ? state_->plan.find_origin(flow.server) : nullptr;
    if (origin == nullptr) return {.reason = Reason::rule_removed};
    const auto position = static_cast<std::size_t>(origin - state_->plan.origins.data());
    static const rules::RequestView kAnyRequest;
    const rules::RequestView* request = nullptr;
    if (head != nullptr) request = state_->conditional[position] ? view_of(*head) : &kAnyRequest;
    const auto winner = rules::select_rule(state_->plan, state_->matcher, *origin, flow.client.address, request);
    if (!winner || !state_->plan.rules[*winner].has_mirror) return {.reason = Reason::unmatched};
    const auto* target = state_->plan.rules[*winner].live_target(origin->service_port);
    choice_.row = state_->rows[*winner];
    choice_.target = target;
    choice_.guard = state_->guarded.contains(target);
    return {{&choice_, 1}};
}

}  // namespace umbra
