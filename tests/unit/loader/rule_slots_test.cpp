#include "loader/rule_slots.h"

#include <gtest/gtest.h>

#include <set>

#include "rules/plan.h"

#include "umbra/abi/limits.h"

namespace umbra::loader {
namespace {

std::vector<std::string> names(const std::string& prefix, std::size_t count) {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < count; ++i) keys.push_back(prefix + std::to_string(i));
    return keys;
}

TEST(RuleSlots, a_rule_keeps_its_slot) {
    RuleSlots slots;
    ASSERT_TRUE(slots.assign({"a/x", "a/y"}));
    const auto x = slots.slot_of("a/x"), y = slots.slot_of("a/y");
    ASSERT_TRUE(x && y);
    EXPECT_NE(*x, *y);
    ASSERT_TRUE(slots.assign({"a/0", "a/y", "a/x"}));
    EXPECT_EQ(slots.slot_of("a/x"), x);
    EXPECT_EQ(slots.slot_of("a/y"), y);
}

TEST(RuleSlots, a_removed_rule_gets_its_slot_back) {
    RuleSlots slots;
    ASSERT_TRUE(slots.assign({"a/x"}));
    const auto x = slots.slot_of("a/x");
    ASSERT_TRUE(slots.assign({"a/y"}));
    EXPECT_FALSE(slots.slot_of("a/x"));
    EXPECT_NE(slots.slot_of("a/y"), x);
    const auto reused = slots.assign({"a/x", "a/y"});
    ASSERT_TRUE(reused);
    EXPECT_TRUE(reused->empty());
    EXPECT_EQ(slots.slot_of("a/x"), x);
}

TEST(RuleSlots, slots_change_hands_only_when_none_is_unused) {
    RuleSlots slots;
    ASSERT_TRUE(slots.assign(names("old/", UMBRA_MAX_RULES)));
    ASSERT_TRUE(slots.assign(names("old/", UMBRA_MAX_RULES - 2)));
    const auto reused = slots.assign([] {
        auto keys = names("old/", UMBRA_MAX_RULES - 2);
        keys.push_back("new/0");
        return keys;
    }());
    ASSERT_TRUE(reused);
    ASSERT_EQ(reused->size(), 1u);
    EXPECT_EQ(slots.slot_of("new/0"), reused->front());
    std::set<std::uint32_t> used;
    for (const auto& [key, slot] : slots.living()) used.insert(slot);
    EXPECT_EQ(used.size(), slots.living().size());
}

TEST(RuleSlots, too_many_rules_are_refused_and_change_nothing) {
    RuleSlots slots;
    ASSERT_TRUE(slots.assign({"a/x"}));
    const auto refused = slots.assign(names("b/", UMBRA_MAX_RULES + 1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_rules);
    EXPECT_TRUE(slots.slot_of("a/x"));
}

TEST(RuleSlots, mirrors_of_a_rule_keep_their_slots_when_others_come_and_go) {
    rules::Plan plan;
    plan.rules.resize(2);
    plan.rules[0].key = "a/x";
    plan.rules[0].mirrors.resize(3);
    plan.rules[1].key = "a/y";
    RuleSlots slots;
    ASSERT_TRUE(slots.assign(rules::slot_keys(plan)));
    EXPECT_EQ(slots.living().size(), 4u);
    const auto first = slots.slot_of("a/x"), second = slots.slot_of("a/x#2"), third = slots.slot_of("a/x#3");
    ASSERT_TRUE(first && second && third);
    plan.rules[0].mirrors.resize(2);
    plan.rules[1].mirrors.resize(2);
    ASSERT_TRUE(slots.assign(rules::slot_keys(plan)));
    EXPECT_EQ(slots.slot_of("a/x"), first);
    EXPECT_EQ(slots.slot_of("a/x#2"), second);
    EXPECT_FALSE(slots.slot_of("a/x#3"));
    plan.rules[0].mirrors.resize(3);
    ASSERT_TRUE(slots.assign(rules::slot_keys(plan)));
    EXPECT_EQ(slots.slot_of("a/x#3"), third) << "it gets its counters back";
}

}  // namespace
}  // namespace umbra::loader
