#include "rules/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "rules/explain_mirror.h"
#include "rules/host_name.h"
#include "rules/plan_print.h"
#include "rules/request_match.h"
#include "rules/shadowing.h"

namespace umbra::rules {

namespace {

class Explainer {
public:
    Explainer(const Plan& plan, const PlanMatcher& matcher, const Asked& asked)
        : plan_(plan),
          matcher_(matcher),
          asked_(asked),
          client_(asked.flow ? &asked.flow->client.address : nullptr),
          request_(asked.request) {}

    // endpoints: all that share this origin's service, port and candidates.
    std::string explain(const PlanOrigin& origin, const std::vector<Endpoint>& endpoints) {
        const auto winner = select_rule(plan_, matcher_, origin, client_ ? *client_ : IpAddress{}, request_);
        auto text =
            fmt::format("origin     {} of {} port {}\n", list_some(endpoints), origin.service, origin.service_port);
        for (const auto& endpoint : endpoints) {
            if (&endpoint - endpoints.data() == kShownEndpoints) break;
            text += fmt::format("map entry  {} -> {}\n", endpoint.to_string(), candidate_keys(origin));
        }
        bool decided = false;
        for (const auto index : origin.candidates) {
            const bool wins = winner && index == *winner;
            text += rule_line(wins ? "wins" : "loses", plan_.rules[index],
                              wins      ? winning_reason(index)
                              : decided ? "comes after " + plan_.rules[*winner].key
                                        : losing_reason(index));
            decided = decided || wins;
        }
        text += other_rules(origin);
        if (!winner) return text + "result     not mirrored: no rule holds\n";
        return text + result_line(origin, plan_.rules[*winner]);
    }

private:
    std::string candidate_keys(const PlanOrigin& origin) const {
        std::string keys;
        for (const auto index : origin.candidates) keys += (keys.empty() ? "" : ", ") + plan_.rules[index].key;
        return keys;
    }

    static std::string rule_line(const char* verdict, const PlanRule& rule, const std::string& reason) {
        return fmt::format("  {:<8} {} (precedence {}): {}\n", verdict, rule.key, rule.precedence, reason);
    }

    std::string winning_reason(std::uint32_t index) const {
        const auto& rule = plan_.rules[index];
        std::string reason = "the first that holds";
        if (!rule.request.empty()) reason += "; " + print_request(rule);
        if (rule.source_restricted) reason += "; client among " + print_sources(rule);
        return reason;
    }

    std::string losing_reason(std::uint32_t index) const {
        const auto& rule = plan_.rules[index];
        if (!client_ && rule.source_restricted)
            return "holds only for the clients " + print_sources(rule) + "; no client is given";
        if (client_ && !source_matches(rule, *client_)) {
            return fmt::format("client {} is not among {}", client_->to_string(), print_sources(rule));
        }
        if (!request_) return "holds only for HTTP requests with " + print_request(rule);
        const auto failing = matcher_.rule(index).first_failing(*request_);
        return failing ? "the request does not fulfil " + print_condition(rule.request[*failing]) : "does not hold";
    }

    // Rules about the same service that are no candidates here.
    std::string other_rules(const PlanOrigin& origin) const {
        std::string text, catch_all;
        for (std::uint32_t i = 0; i < plan_.rules.size(); ++i) {
            const auto& rule = plan_.rules[i];
            const bool candidate =
                std::find(origin.candidates.begin(), origin.candidates.end(), i) != origin.candidates.end();
            if (candidate && is_catch_all(rule)) catch_all = rule.key;
            const bool stand_in = rule.is_stand_in();
            if (candidate || stand_in || !host_matches(rule.destination, origin.service)) continue;
            text += rule_line("apart", rule,
                              catch_all.empty() ? "its route, subnets or mirror leave this endpoint out"
                                                : "stands behind " + catch_all + ", which matches everything");
        }
        return text;
    }

    std::string result_line(const PlanOrigin& origin, const PlanRule& rule) const {
        if (!rule.mirrors.empty()) return explain_mirrors(rule, origin, asked_);
        return fmt::format("result     not mirrored: {}\n",
                           rule.is_stand_in() ? print_silence(rule) : rule.key + " has no mirror and ends the search");
    }

    const Plan& plan_;
    const PlanMatcher& matcher_;
    const Asked asked_;
    const IpAddress* client_;
    const RequestView* request_;
};

bool serves(const PlanMirror& mirror, const Endpoint& server) {
    return std::any_of(mirror.targets.begin(), mirror.targets.end(), [&](const MirrorTarget& target) {
        return std::binary_search(target.endpoints.begin(), target.endpoints.end(), server);
    });
}

std::string explain_unknown(const Plan& plan, const Endpoint& server) {
    auto text = fmt::format("map entry  none for {}\n", server.to_string());
    for (const auto& rule : plan.rules) {
        const bool own = std::any_of(rule.mirrors.begin(), rule.mirrors.end(),
                                     [&](const PlanMirror& mirror) { return serves(mirror, server); });
        if (own)
            return text + fmt::format("result     not mirrored: it is an endpoint of the mirror of {}\n", rule.key);
    }
    return text + "result     not mirrored: no rule with a live mirror selects this endpoint\n";
}

// Whether "httpbin:8080" can mean this service: its host, or the host's first labels.
bool can_mean(std::string_view authority, const PlanOrigin& origin) {
    const auto bracket = authority.rfind(']');
    const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    const auto host = authority.substr(0, colon);
    if (colon != std::string_view::npos) {
        unsigned port = 0;
        std::from_chars(authority.data() + colon + 1, authority.data() + authority.size(), port);
        if (port != origin.service_port) return false;
    }
    const bool prefix = origin.service.size() > host.size() && origin.service.compare(0, host.size(), host) == 0 &&
                        origin.service[host.size()] == '.';
    return !host.empty() && (host == origin.service || prefix);
}

// Origins that differ in their address only.
using Group = std::pair<const PlanOrigin*, std::vector<Endpoint>>;

std::vector<Group> groups_for(const Plan& plan, std::string_view authority) {
    std::map<std::tuple<std::string_view, std::uint16_t, std::vector<std::uint32_t>>, Group> groups;
    const bool named = std::any_of(plan.origins.begin(), plan.origins.end(),
                                   [&](const PlanOrigin& origin) { return can_mean(authority, origin); });
    for (const auto& origin : plan.origins) {
        if (named && !can_mean(authority, origin)) continue;
        auto& group = groups[{origin.service, origin.service_port, origin.candidates}];
        if (!group.first) group.first = &origin;
        group.second.push_back(origin.endpoint);
    }
    std::vector<Group> result;
    result.reserve(groups.size());
    for (auto& [key, group] : groups) result.push_back(std::move(group));
    return result;
}

std::string explain_one(const Plan& plan, const PlanMatcher& matcher, const FlowTuple& flow,
                        const RequestView* request) {
    const auto* origin = plan.find_origin(flow.server);
    if (!origin) return explain_unknown(plan, flow.server);
    return Explainer(plan, matcher, {&flow, request}).explain(*origin, {origin->endpoint});
}

}  // namespace

std::string explain_flow(const Plan& plan, const FlowTuple& flow) {
    const auto matcher = PlanMatcher::make(plan);
    if (!matcher) return matcher.error().message + "\n";
    return fmt::format("flow       {}\n", flow.to_string()) + explain_one(plan, *matcher, flow, nullptr);
}

std::string explain_request(const Plan& plan, const std::optional<FlowTuple>& flow, const RequestView& request) {
    const auto matcher = PlanMatcher::make(plan);
    if (!matcher) return matcher.error().message + "\n";
    const auto authority = request_authority(request);
    auto text = fmt::format("request    {} {}, authority '{}'\n", request.method, request.target, authority);
    if (flow) {
        return text + fmt::format("flow       {}\n", flow->to_string()) + explain_one(plan, *matcher, *flow, &request);
    }
    const auto groups = groups_for(plan, authority);
    if (groups.empty()) return text + "result     not mirrored: no rule with a live mirror selects any endpoint\n";
    for (const auto& [origin, endpoints] : groups) {
        text += Explainer(plan, *matcher, {nullptr, &request}).explain(*origin, endpoints);
    }
    return text;
}

}  // namespace umbra::rules
