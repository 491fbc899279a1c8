#include "terminator/plan_view.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <vector>

#include "umbra/abi/limits.h"

namespace umbra {
namespace {

const Endpoint kV1 = *Endpoint::parse("10.0.0.1:8080");
const Endpoint kV2 = *Endpoint::parse("10.0.0.2:8080");
const FlowTuple kFlow{*Endpoint::parse("10.9.0.1:40000"), kV1};

rules::PlanRule mirror_rule(const std::string& key) {
    rules::PlanRule rule;
    rule.key = key;
    rule.mirrors.resize(1);
    rule.mirrors[0].targets = {{8080, {kV2}}};
    return rule;
}

PlanMessage message(std::vector<rules::PlanRule> plan_rules) {
    PlanMessage result;
    result.generation = 7;
    rules::PlanOrigin origin{kV1, "httpbin", 8080, {}};
    for (std::uint32_t i = 0; i < plan_rules.size(); ++i) origin.candidates.push_back(i);
    result.plan.rules = std::move(plan_rules);
    for (std::uint32_t i = 0; i < rules::slot_keys(result.plan).size(); ++i) result.slots.push_back(10 + i);
    result.plan.origins = {origin};
    return result;
}

Choice first(const Selection& selection) { return selection.mirrors.empty() ? Choice{} : selection.mirrors.front(); }

class PlanViewTest : public testing::Test {
protected:
    std::vector<umbra_ledger_row> rows_ = std::vector<umbra_ledger_row>(UMBRA_MAX_RULES);
    PlanView view_{rows_.data()};
};

TEST_F(PlanViewTest, WithoutAPlanNothingIsCovered) {
    EXPECT_EQ(view_.flow_row(kFlow), nullptr);
    EXPECT_TRUE(view_.choose(kFlow, nullptr, 0).mirrors.empty());
    EXPECT_EQ(view_.choose(kFlow, nullptr, 0).reason, Reason::rule_removed);
}

TEST_F(PlanViewTest, RoutesByTheRulesSlotAndTarget) {
    ASSERT_TRUE(view_.replace(message({mirror_rule("default/a")})));
    EXPECT_EQ(view_.flow_row(kFlow), &rows_[10]);
    const RequestHead head{.method = "GET", .target = "/"};
    const auto choice = first(view_.choose(kFlow, &head, 0));
    EXPECT_EQ(choice.row, &rows_[10]);
    ASSERT_NE(choice.target, nullptr);
    EXPECT_EQ(choice.target->endpoints, std::vector{kV2});
    EXPECT_FALSE(choice.guard);
    EXPECT_EQ(view_.flow_row({kFlow.client, kV2}), nullptr);
}

TEST_F(PlanViewTest, RequestConditionsFallThroughToTheNextRule) {
    auto conditional = mirror_rule("default/a");
    conditional.request = {{"x-canary", rules::HeaderCondition::Kind::exact, "yes"}};
    ASSERT_TRUE(view_.replace(message({conditional, mirror_rule("default/b")})));
    RequestHead head{.method = "GET", .target = "/"};
    EXPECT_EQ(first(view_.choose(kFlow, &head, 0)).row, &rows_[11]);
    head.headers = {{"X-Canary", "yes"}};
    EXPECT_EQ(first(view_.choose(kFlow, &head, 0)).row, &rows_[10]);
    EXPECT_EQ(first(view_.choose(kFlow, nullptr, 0)).row, &rows_[11]) << "raw bytes satisfy no request condition";
}

TEST_F(PlanViewTest, ARuleWithoutMirrorEndsTheSearch) {
    auto quiet = mirror_rule("default/a");
    quiet.mirrors.clear();
    ASSERT_TRUE(view_.replace(message({quiet, mirror_rule("default/b")})));
    EXPECT_EQ(view_.flow_row(kFlow), nullptr);
    EXPECT_EQ(view_.choose(kFlow, nullptr, 0).reason, Reason::unmatched);
}

TEST_F(PlanViewTest, AMirrorThatIsAnOriginItselfIsGuarded) {
    auto plan = message({mirror_rule("default/a")});
    plan.plan.origins.push_back({kV2, "httpbin-v2", 8080, {0}});
    ASSERT_TRUE(view_.replace(plan));
    EXPECT_TRUE(first(view_.choose(kFlow, nullptr, 0)).guard);
}

TEST_F(PlanViewTest, ABadPlanLeavesThePreviousOne) {
    ASSERT_TRUE(view_.replace(message({mirror_rule("default/a")})));
    auto bad = message({mirror_rule("default/a")});
    bad.slots = {UMBRA_MAX_RULES};
    EXPECT_FALSE(view_.replace(bad));
    EXPECT_EQ(view_.flow_row(kFlow), &rows_[10]);
}

class Channel {
public:
    Channel() {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0) {
            loader = UniqueFd(ends[0]);
            terminator = UniqueFd(ends[1]);
        }
    }
    UniqueFd loader, terminator;
};

TEST(PlanMessage, ArrivesAsItWasSent) {
    Channel channel;
    const auto sent = message({mirror_rule("default/a"), mirror_rule("default/b")});
    ASSERT_TRUE(send_plan(channel.loader.get(), sent));
    const auto received = receive_plan(channel.terminator.get());
    ASSERT_TRUE(received) << received.error().message;
    EXPECT_EQ(received->generation, sent.generation);
    EXPECT_EQ(received->plan, sent.plan);
    EXPECT_EQ(received->slots, sent.slots);
    ASSERT_TRUE(acknowledge_plan(channel.terminator.get()));
    char byte = 0;
    EXPECT_EQ(::recv(channel.loader.get(), &byte, 1, 0), 1);
    EXPECT_EQ(byte, 1);
}

TEST(PlanMessage, TheEndOfTheChannelIsNoFailureText) {
    Channel channel;
    channel.loader.reset();
    const auto received = receive_plan(channel.terminator.get());
    ASSERT_FALSE(received);
    EXPECT_EQ(received.error().message, "");
}

TEST(PlanMessage, AMessageWithoutADescriptorIsRefused) {
    Channel channel;
    ASSERT_EQ(::send(channel.loader.get(), "P", 1, 0), 1);
    const auto received = receive_plan(channel.terminator.get());
    ASSERT_FALSE(received);
    EXPECT_NE(received.error().message.find("no descriptor"), std::string::npos);
}

}  // namespace
}  // namespace umbra
