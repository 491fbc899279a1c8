#include <gtest/gtest.h>

#include "loader/generation.h"

namespace umbra::loader {
namespace {

rules::PlanRule rule(const std::string& key, double percent = 100.0) {
    rules::PlanRule made;
    made.key = key;
    made.mirrors.resize(1);
    made.mirrors[0].percent = percent;
    return made;
}

struct Compiled {
    RuleSlots slots;
    Result<GenerationContent> content = GenerationContent{};
};

Compiled compile(const rules::Plan& plan, unsigned halvings = 0) {
    Compiled compiled;
    EXPECT_TRUE(compiled.slots.assign(rules::slot_keys(plan)));
    std::map<Endpoint, Placement> placements;
    for (const auto& origin : plan.origins) placements[origin.endpoint] = {UMBRA_SIDE_BEHIND, 3};
    compiled.content = compile_generation(plan, compiled.slots, placements, halvings);
    return compiled;
}

rules::Plan plan_of(std::vector<rules::PlanRule> rules) {
    rules::Plan plan;
    rules::PlanOrigin origin;
    origin.endpoint = *Endpoint::parse("10.0.0.1:80");
    for (std::uint32_t i = 0; i < rules.size(); ++i) origin.candidates.push_back(i);
    plan.rules = std::move(rules);
    plan.origins = {origin};
    return plan;
}

TEST(CompileGeneration, flags_say_what_the_rule_is) {
    rules::PlanRule plain = rule("a/plain"), conditional = rule("a/conditional"), restricted = rule("a/restricted"),
                    off = rule("a/off");
    conditional.request.push_back({"uri", rules::HeaderCondition::Kind::exact, "/"});
    restricted.source_restricted = true;
    restricted.sources = {*IpPrefix::parse("10.1.0.0/16"), *IpPrefix::parse("fd00::/8")};
    off.mirrors.clear();
    const Compiled compiled = compile(plan_of({conditional, restricted, off, plain}));
    ASSERT_TRUE(compiled.content);
    const auto flags = [&](const char* key) { return compiled.content->rules.at(*compiled.slots.slot_of(key)).flags; };
    EXPECT_EQ(flags("a/plain"), UMBRA_RULE_MIRROR);
    EXPECT_EQ(flags("a/conditional"), UMBRA_RULE_MIRROR | UMBRA_RULE_CONDITIONAL);
    EXPECT_EQ(flags("a/restricted"), UMBRA_RULE_MIRROR | UMBRA_RULE_RESTRICTED);
    EXPECT_EQ(flags("a/off"), 0u);
    EXPECT_EQ(compiled.content->sources.size(), 2u);
}

TEST(CompileGeneration, candidates_end_at_the_first_that_decides) {
    rules::PlanRule conditional = rule("a/conditional");
    conditional.request.push_back({"uri", rules::HeaderCondition::Kind::exact, "/"});
    const Compiled compiled = compile(plan_of({conditional, rule("a/first"), rule("a/second")}));
    ASSERT_TRUE(compiled.content);
    const umbra_match& match = compiled.content->endpoints.begin()->second;
    EXPECT_EQ(match.count, 2);
    EXPECT_EQ(match.candidates[0], *compiled.slots.slot_of("a/conditional"));
    EXPECT_EQ(match.candidates[1], *compiled.slots.slot_of("a/first"));
    EXPECT_EQ(match.side, UMBRA_SIDE_BEHIND);
    EXPECT_EQ(match.owner, 3u);
}

TEST(CompileGeneration, too_many_candidates_are_refused) {
    std::vector<rules::PlanRule> many;
    for (int i = 0; i <= UMBRA_MAX_CANDIDATES; ++i) {
        many.push_back(rule("a/" + std::to_string(i)));
        many.back().request.push_back({"uri", rules::HeaderCondition::Kind::exact, "/"});
    }
    const Compiled compiled = compile(plan_of(many));
    ASSERT_FALSE(compiled.content);
    EXPECT_EQ(compiled.content.error().code, ErrorCode::invalid_rules);
    EXPECT_FALSE(compiled.content.error().hint.empty());
}

TEST(CompileGeneration, percent_becomes_a_threshold_and_the_seed_is_stable) {
    const Compiled compiled = compile(plan_of({rule("a/half", 50.0), rule("a/none", 0.0), rule("a/all")}));
    ASSERT_TRUE(compiled.content);
    const auto get = [&](const char* key) { return compiled.content->rules.at(*compiled.slots.slot_of(key)); };
    EXPECT_EQ(get("a/half").threshold, 0x80000000u);
    EXPECT_EQ(get("a/half").flags & UMBRA_RULE_SAMPLED, UMBRA_RULE_SAMPLED);
    EXPECT_EQ(get("a/none").threshold, 0u);
    EXPECT_EQ(get("a/none").flags & UMBRA_RULE_SAMPLED, UMBRA_RULE_SAMPLED);
    EXPECT_EQ(get("a/all").flags & UMBRA_RULE_SAMPLED, 0u);
    EXPECT_EQ(get("a/all").seed, 0xfa3d8000u) << "restarts and upgrades must sample the same flows";
}

TEST(CompileGeneration, several_mirrors_share_one_clone_of_the_largest_part) {
    using By = rules::Sampling::By;
    auto nested = rule("a/nested", 10.0), requests = rule("a/requests", 10.0), none = rule("a/none", 0.0);
    nested.mirrors.resize(3);
    nested.mirrors[1].percent = 25.0;
    nested.mirrors[2].percent = 0.0;
    requests.mirrors.resize(2);
    requests.mirrors[1].percent = 1.0;
    requests.mirrors[1].settings.sampling.by = By::request;
    none.mirrors[0].settings.sampling.by = By::header;
    const Compiled compiled = compile(plan_of({nested, requests, none}));
    ASSERT_TRUE(compiled.content);
    EXPECT_EQ(compiled.content->rules.size(), 3u) << "the kernel knows rules, not mirrors";
    const auto get = [&](const char* key) { return compiled.content->rules.at(*compiled.slots.slot_of(key)); };
    EXPECT_EQ(get("a/nested").threshold, 0x40000000u);
    EXPECT_EQ(get("a/nested").flags, UMBRA_RULE_MIRROR | UMBRA_RULE_SAMPLED);
    EXPECT_EQ(get("a/requests").flags, UMBRA_RULE_MIRROR) << "requests are chosen behind the kernel";
    EXPECT_EQ(get("a/none").threshold, 0u);
    EXPECT_EQ(get("a/none").flags, UMBRA_RULE_MIRROR | UMBRA_RULE_SAMPLED);
}

TEST(CompileGeneration, a_lowered_share_takes_the_same_flows_of_all_rules_and_a_part_of_a_sampled_one) {
    rules::PlanRule restricted = rule("a/restricted"), requests = rule("a/requests", 10), off = rule("a/off");
    restricted.source_restricted = true;
    requests.mirrors[0].settings.sampling.by = rules::Sampling::By::request;
    off.mirrors.clear();
    const auto plan = plan_of({restricted, requests, rule("a/quarter", 25), off, rule("a/none", 0)});
    const Compiled whole = compile(plan), eighth = compile(plan, 3);
    ASSERT_TRUE(whole.content && eighth.content);
    const auto get = [](const Compiled& from, const char* key) {
        return from.content->rules.at(*from.slots.slot_of(key));
    };
    for (const char* key : {"a/restricted", "a/requests"}) {
        EXPECT_EQ(get(whole, key).flags & UMBRA_RULE_SAMPLED, 0u) << key;
        EXPECT_EQ(get(eighth, key).flags, get(whole, key).flags | UMBRA_RULE_SAMPLED) << key;
        EXPECT_EQ(get(eighth, key).threshold, 0x20000000u) << key;
    }
    EXPECT_EQ(get(eighth, "a/restricted").seed, get(eighth, "a/requests").seed);
    EXPECT_EQ(get(eighth, "a/quarter").threshold, 0x08000000u);
    EXPECT_EQ(get(eighth, "a/quarter").seed, get(whole, "a/quarter").seed) << "what its mirror takes is of this seed";
    EXPECT_EQ(get(eighth, "a/off").flags, 0u);
    EXPECT_EQ(get(eighth, "a/none").threshold, 0u);
    EXPECT_EQ(eighth.content->endpoints.size(), whole.content->endpoints.size());
}

TEST(CompileGeneration, endpoints_without_a_place_are_left_out) {
    rules::Plan plan = plan_of({rule("a/x")});
    RuleSlots slots;
    ASSERT_TRUE(slots.assign({"a/x"}));
    const auto content = compile_generation(plan, slots, {});
    ASSERT_TRUE(content);
    EXPECT_TRUE(content->endpoints.empty());
}

}  // namespace
}  // namespace umbra::loader
