#include "loader/generation.h"
#include "rules/sampling.h"

namespace umbra::loader {

namespace {

constexpr const char* kSharedSeed = "umbra/share";

// A lowered share takes whole flows. Rules that take everything share one seed, so that a flow which one of them leaves
// out does not fall to the next, and further mirrors keep their proportion; a sampled rule keeps a part of its own.
umbra_rule compile_rule(const rules::PlanRule& rule, unsigned halvings) {
    umbra_rule compiled{};
    compiled.seed = rules::sampling_seed(rule.key);
    if (!rule.request.empty()) compiled.flags |= UMBRA_RULE_CONDITIONAL;
    if (rule.source_restricted) compiled.flags |= UMBRA_RULE_RESTRICTED;
    if (rule.mirrors.empty()) return compiled;
    compiled.flags |= UMBRA_RULE_MIRROR;
    auto threshold = rules::kernel_threshold(rule);
    if (halvings > 0 && threshold == rules::kEverything) compiled.seed = rules::sampling_seed(kSharedSeed);
    threshold >>= halvings;
    if (threshold < rules::kEverything) {
        compiled.flags |= UMBRA_RULE_SAMPLED;
        compiled.threshold = static_cast<std::uint32_t>(threshold);
    }
    return compiled;
}

bool ends_search(const rules::PlanRule& rule) { return rule.request.empty() && !rule.source_restricted; }

Result<umbra_match> compile_match(const rules::Plan& plan, const rules::PlanOrigin& origin, const RuleSlots& slots) {
    umbra_match match{};
    for (const std::uint32_t index : origin.candidates) {
        const rules::PlanRule& rule = plan.rules[index];
        if (match.count == UMBRA_MAX_CANDIDATES) {
            return Error{ErrorCode::invalid_rules,
                         "apply, endpoint " + origin.endpoint.to_string() + ": more than " +
                             std::to_string(UMBRA_MAX_CANDIDATES) + " rules to choose between",
                         "merge rules of '" + rule.destination + "'"};
        }
        match.candidates[match.count++] = static_cast<std::uint16_t>(slots.slot_of(rule.key).value_or(0));
        if (ends_search(rule)) break;
    }
    return match;
}

Result<void> check_size(std::size_t size, std::size_t limit, const char* what) {
    if (size <= limit) return {};
    return Error{ErrorCode::invalid_rules,
                 "apply, " + std::to_string(size) + " " + what + ": only " + std::to_string(limit) + " are possible",
                 "narrow the rules, or spread services over several agents"};
}

}  // namespace

Result<GenerationContent> compile_generation(const rules::Plan& plan, const RuleSlots& slots,
                                             const std::map<Endpoint, Placement>& placements, unsigned halvings) {
    GenerationContent content;
    for (const rules::PlanRule& rule : plan.rules) {
        const std::uint32_t slot = slots.slot_of(rule.key).value_or(0);
        content.rules[slot] = compile_rule(rule, halvings);
        if (!rule.source_restricted) continue;
        for (const IpPrefix& prefix : rule.sources) content.sources.push_back({slot, prefix});
    }
    for (const rules::PlanOrigin& origin : plan.origins) {
        const auto placement = placements.find(origin.endpoint);
        if (placement == placements.end()) continue;
        auto match = compile_match(plan, origin, slots);
        if (!match) return match.error();
        match->side = placement->second.side;
        match->owner = placement->second.owner;
        content.endpoints[origin.endpoint] = *match;
    }
    if (auto fits = check_size(content.endpoints.size(), UMBRA_MAX_ENDPOINTS, "endpoints"); !fits) return fits.error();
    if (auto fits = check_size(content.sources.size(), UMBRA_MAX_SOURCES, "source prefixes"); !fits)
        return fits.error();
    return content;
}

}  // namespace umbra::loader
