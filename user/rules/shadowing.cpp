#include "rules/shadowing.h"

#include <algorithm>
#include <map>
#include <set>

#include "rules/host_name.h"
#include "rules/prefix_set.h"

namespace umbra::rules {

namespace {

using Kind = HeaderCondition::Kind;

// A path prefix that every path has.
bool is_trivial(const HeaderCondition& condition) {
    return condition.name == "uri" && condition.kind == Kind::prefix && condition.value == "/";
}

// Whatever fulfils `narrow` fulfils `wide`.
bool implies(const HeaderCondition& narrow, const HeaderCondition& wide) {
    if (narrow == wide) return true;
    return narrow.name == wide.name && wide.kind == Kind::prefix && narrow.kind != Kind::regex &&
           narrow.value.compare(0, wide.value.size(), wide.value) == 0;
}

bool request_covers(const PlanRule& wide, const PlanRule& narrow) {
    return std::all_of(wide.request.begin(), wide.request.end(), [&](const HeaderCondition& condition) {
        return is_trivial(condition) || std::any_of(narrow.request.begin(), narrow.request.end(),
                                                    [&](const auto& other) { return implies(other, condition); });
    });
}

bool sources_cover(const PlanRule& wide, const PlanRule& narrow) {
    if (!wide.source_restricted) return true;
    return narrow.source_restricted && contains_all(wide.sources, narrow.sources);
}

bool destination_covers(const ResolvedRule& wide, const ResolvedRule& narrow) {
    if (!host_matches(wide.plan.destination, narrow.plan.destination)) return false;
    if (wide.destination_subnets.empty()) return true;
    return !narrow.destination_subnets.empty() && contains_all(wide.destination_subnets, narrow.destination_subnets);
}

using Matrix = std::vector<std::vector<bool>>;

std::set<Endpoint> endpoints_of(const PlanRule& rule) {
    std::set<Endpoint> endpoints;
    for (const auto& mirror : rule.mirrors) {
        for (const auto& target : mirror.targets) endpoints.insert(target.endpoints.begin(), target.endpoints.end());
    }
    return endpoints;
}

// For each rule, the others that mirror what arrives at its mirrors' endpoints.
Matrix feeding(std::span<const ResolvedRule> rules) {
    std::map<Endpoint, std::set<std::size_t>> mirrored_by;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        for (const auto& covered : rules[i].covered) {
            if (covered.selected && !rules[i].plan.mirrors.empty()) mirrored_by[covered.endpoint].insert(i);
        }
    }
    Matrix feeds(rules.size(), std::vector<bool>(rules.size()));
    for (std::size_t i = 0; i < rules.size(); ++i) {
        for (const auto& endpoint : endpoints_of(rules[i].plan)) {
            const auto found = mirrored_by.find(endpoint);
            if (found == mirrored_by.end()) continue;
            for (const auto next : found->second) feeds[i][next] = true;
        }
    }
    return feeds;
}

}  // namespace

bool is_catch_all(const PlanRule& rule) {
    return !rule.source_restricted && std::all_of(rule.request.begin(), rule.request.end(), is_trivial);
}

void report_dead_rules(std::span<const ResolvedRule> rules, Diagnostics& diagnostics) {
    for (std::size_t low = 1; low < rules.size(); ++low) {
        const auto* const first = rules.data();
        const auto* const end = first + low;
        const auto* const above = std::find_if(first, end, [&](const ResolvedRule& high) {
            return destination_covers(high, rules[low]) && sources_cover(high.plan, rules[low].plan) &&
                   request_covers(high.plan, rules[low].plan);
        });
        if (above == end) continue;
        const bool tie = above->plan.precedence == rules[low].plan.precedence;
        diagnostics.add(Severity::warning, rules[low].rule->location, "",
                        "RouteRule " + rules[low].plan.key + " never applies: " + above->plan.key + " (precedence " +
                            std::to_string(above->plan.precedence) + ") matches all that it matches",
                        tie ? "among equal precedences the first by namespace/name wins"
                            : "give it a precedence above " + std::to_string(above->plan.precedence));
    }
}

void report_mirror_loops(std::span<const ResolvedRule> rules, Diagnostics& diagnostics) {
    const auto count = rules.size();
    auto reaches = feeding(rules);
    for (std::size_t via = 0; via < count; ++via) {
        for (std::size_t i = 0; i < count; ++i) {
            if (!reaches[i][via]) continue;
            for (std::size_t j = 0; j < count; ++j) reaches[i][j] = reaches[i][j] || reaches[via][j];
        }
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (!reaches[i][i]) continue;
        diagnostics.add(Severity::warning, rules[i].rule->location, "spec.mirror",
                        "RouteRule " + rules[i].plan.key +
                            " is part of a ring: its copies arrive at endpoints that are mirrored on",
                        "an agent knows its own copies, but not those that another node's agent sends");
    }
}

}  // namespace umbra::rules
