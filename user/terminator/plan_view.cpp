#include "terminator/plan_view.h"

#include <strings.h>

#include <algorithm>
#include <string>

#include "rules/sampling.h"

#include "umbra/abi/limits.h"

namespace umbra {

namespace {

bool is_host(std::string_view name) { return name.size() == 4 && ::strncasecmp(name.data(), "host", 4) == 0; }

// What follows a switch of protocols are bytes of any meaning.
bool is_safe(const RequestHead* head) {
    return head != nullptr && !head->upgrade && rules::is_safe_method(head->method);
}

}  // namespace

Result<void> PlanView::replace(const PlanMessage& message) {
    auto matcher = rules::PlanMatcher::make(message.plan);
    if (!matcher) return matcher.error();
    if (message.slots.size() != rules::slot_keys(message.plan).size())
        return Error{ErrorCode::failure, "use plan: its slots are not those of its rules", {}};
    for (const auto slot : message.slots) {
        if (slot >= UMBRA_MAX_RULES)
            return Error{ErrorCode::failure, "use plan: rule slot " + std::to_string(slot) + " is out of range", {}};
    }
    auto state = std::make_unique<State>(State{message.plan, std::move(*matcher), {}, {}, {}, {}});
    add_rules(*state, message.slots);
    for (const auto& origin : state->plan.origins)
        state->conditional.push_back(std::any_of(origin.candidates.begin(), origin.candidates.end(), [&](auto index) {
            return !state->plan.rules[index].request.empty();
        }));
    guard_targets(*state);
    state_ = std::move(state);
    return {};
}

void PlanView::add_rules(State& state, const std::vector<std::uint32_t>& slots) const {
    auto slot = slots.begin();
    for (const auto& planned : state.plan.rules) {
        Rule rule{rules::sampling_seed(planned.key), rules::kernel_threshold(planned), &rows_[*slot], {}};
        for (std::size_t i = 0; i < planned.mirrors.size(); ++i) {
            const auto& mirror = planned.mirrors[i];
            auto key = planned.slot_key(i);
            auto settings = settings_for(key, mirror.settings);
            rule.mirrors.push_back(
                {&rows_[slot[static_cast<std::ptrdiff_t>(i)]], rules::sampling_threshold(mirror.percent), settings});
            state.settings.emplace(std::move(key), std::move(settings));
        }
        slot += static_cast<std::ptrdiff_t>(planned.slot_count());
        state.rules.push_back(std::move(rule));
    }
}

PlanView::Settings PlanView::settings_for(const std::string& key, const rules::MirrorSettings& settings) const {
    if (state_) {
        const auto known = state_->settings.find(key);
        if (known != state_->settings.end() && *known->second == settings) return known->second;
    }
    return std::make_shared<const rules::MirrorSettings>(settings);
}

void PlanView::guard_targets(State& state) const {
    const auto is_origin = [&](const Endpoint& endpoint) { return state.plan.find_origin(endpoint) != nullptr; };
    for (const auto& rule : state.plan.rules)
        for (const auto& mirror : rule.mirrors)
            for (const auto& target : mirror.targets)
                if (std::any_of(target.endpoints.begin(), target.endpoints.end(), is_origin))
                    state.guarded.insert(&target);
}

std::optional<std::uint32_t> PlanView::flow_rule(const FlowTuple& flow) const {
    const auto* origin = state_ ? state_->plan.find_origin(flow.server) : nullptr;
    if (origin == nullptr) return std::nullopt;
    std::optional<std::uint32_t> first;
    for (const auto index : origin->candidates) {
        const auto& planned = state_->plan.rules[index];
        const auto& rule = state_->rules[index];
        if (!rules::source_matches(planned, flow.client.address)) continue;
        if (!rule.mirrors.empty()) {
            if (rules::flow_sample(flow, rule.seed) < rule.kernel_threshold) return index;
            if (!first) first = index;
        }
        if (planned.request.empty()) break;
    }
    return first;
}

umbra_ledger_row* PlanView::flow_row(const FlowTuple& flow) const {
    const auto rule = flow_rule(flow);
    return rule ? state_->rules[*rule].row : nullptr;
}

namespace {

std::optional<Detection> to_detection(rules::Protocol protocol) {
    switch (protocol) {
        case rules::Protocol::http1:
            return Detection::http1;
        case rules::Protocol::http2:
            return Detection::http2;
        case rules::Protocol::raw:
            return Detection::raw;
        case rules::Protocol::automatic:
            break;
    }
    return std::nullopt;
}

}  // namespace

// A protocol holds for a flow if all rules say so that its requests may belong to.
std::optional<Detection> PlanView::fixed_protocol(const FlowTuple& flow) const {
    const auto* origin = state_ ? state_->plan.find_origin(flow.server) : nullptr;
    if (origin == nullptr) return std::nullopt;
    std::optional<rules::Protocol> agreed;
    for (const auto index : origin->candidates) {
        const auto& planned = state_->plan.rules[index];
        if (!rules::source_matches(planned, flow.client.address)) continue;
        if (!planned.mirrors.empty()) {
            if (agreed && *agreed != planned.protocol) return std::nullopt;
            agreed = planned.protocol;
        }
        if (planned.request.empty()) break;
    }
    return agreed ? to_detection(*agreed) : std::nullopt;
}

const rules::RequestView* PlanView::view_of(const RequestHead& head) {
    request_.method = head.method;
    request_.target = head.target;
    request_.authority = head.authority;
    request_.scheme = head.scheme;
    request_.headers.assign(head.headers.begin(), head.headers.end());
    if (!request_.authority.empty()) return &request_;
    for (const auto& [name, value] : head.headers)
        if (is_host(name)) request_.authority = value;
    return &request_;
}

bool PlanView::takes(const Rule& rule, const Mirror& mirror, const FlowTuple& flow, const RequestHead* head) const {
    static const rules::HeaderViews kNoHeaders;
    if (mirror.threshold == 0 || mirror.threshold == rules::kEverything) return mirror.threshold != 0;
    const auto& sampling = mirror.settings->sampling;
    switch (sampling.by) {
        case rules::Sampling::By::request:
            return rules::request_sample(flow, rule.seed, requests_) < mirror.threshold;
        case rules::Sampling::By::header:
            return rules::header_sample(head ? head->headers : kNoHeaders, sampling.header, rule.seed) <
                   mirror.threshold;
        case rules::Sampling::By::flow:
            break;
    }
    return rules::flow_sample(flow, rule.seed) < mirror.threshold;
}

Choice PlanView::judge(const Rule& rule, const Mirror& mirror, const FlowTuple& flow, const RequestHead* head) const {
    Choice choice{.row = mirror.row, .target = nullptr, .settings = mirror.settings};
    if (!takes(rule, mirror, flow, head))
        choice.reason = Reason::unsampled;
    else if (mirror.settings->safe_methods_only && !is_safe(head))
        choice.reason = Reason::unsafe_method;
    else if (head == nullptr && !mirror.settings->redaction.empty())
        choice.reason = Reason::unsupported_protocol;  // secrets cannot be told from the rest
    return choice;
}

Selection PlanView::choose(const FlowTuple& flow, const RequestHead* head, TimeNs) {
    const auto* origin = state_ ? state_->plan.find_origin(flow.server) : nullptr;
    if (origin == nullptr) return {.reason = Reason::rule_removed};
    const auto position = static_cast<std::size_t>(origin - state_->plan.origins.data());
    static const rules::RequestView kAnyRequest;
    const rules::RequestView* request = nullptr;
    if (head != nullptr) request = state_->conditional[position] ? view_of(*head) : &kAnyRequest;
    const auto winner = rules::select_rule(state_->plan, state_->matcher, *origin, flow.client.address, request);
    if (!winner || state_->rules[*winner].mirrors.empty()) return {.reason = Reason::unmatched};
    const auto& rule = state_->rules[*winner];
    const auto& planned = state_->plan.rules[*winner];
    ++requests_;
    choices_.clear();
    for (std::size_t i = 0; i < rule.mirrors.size(); ++i) {
        auto& choice = choices_.emplace_back(judge(rule, rule.mirrors[i], flow, head));
        if (choice.reason != Reason::no_endpoint) continue;
        choice.target = planned.mirrors[i].live_target(origin->service_port);
        choice.guard = choice.target != nullptr && state_->guarded.contains(choice.target);
    }
    return {.mirrors = choices_};
}

}  // namespace umbra
