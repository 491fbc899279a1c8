#include "terminator/plan_view.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <random>
#include <string>
#include <vector>

#include "umbra/abi/limits.h"

namespace umbra {
namespace {

const Endpoint kV1 = *Endpoint::parse("10.0.0.1:8080");
const Endpoint kV2 = *Endpoint::parse("10.0.0.2:8080");
const Endpoint kV3 = *Endpoint::parse("10.0.0.3:8080");
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

TEST_F(PlanViewTest, AFurtherMirrorThatIsAnOriginIsGuardedByItself) {
    auto rule = mirror_rule("default/a");
    rule.mirrors.resize(2);
    rule.mirrors[1].targets = {{8080, {kV3}}};
    auto plan = message({rule});
    plan.plan.origins.push_back({kV3, "httpbin-v3", 8080, {0}});
    ASSERT_TRUE(view_.replace(plan));
    const auto mirrors = view_.choose(kFlow, nullptr, 0).mirrors;
    EXPECT_FALSE(mirrors[0].guard);
    EXPECT_TRUE(mirrors[1].guard);
}

TEST_F(PlanViewTest, ABadPlanLeavesThePreviousOne) {
    ASSERT_TRUE(view_.replace(message({mirror_rule("default/a")})));
    auto bad = message({mirror_rule("default/a")});
    bad.slots = {UMBRA_MAX_RULES};
    EXPECT_FALSE(view_.replace(bad));
    EXPECT_EQ(view_.flow_row(kFlow), &rows_[10]);
}

class Sampling : public PlanViewTest {
protected:
    using By = rules::Sampling::By;
    static constexpr int kCount = 100'000;

    static rules::PlanRule sampled(std::vector<double> percents, By by = By::flow, const std::string& header = "") {
        auto rule = mirror_rule("default/a");
        rule.mirrors.resize(percents.size(), rule.mirrors[0]);
        for (std::size_t i = 0; i < percents.size(); ++i) {
            rule.mirrors[i].percent = percents[i];
            rule.mirrors[i].settings.sampling = {by, header};
        }
        return rule;
    }
    static bool taken(const Choice& choice) {
        EXPECT_EQ(choice.target == nullptr, choice.reason == Reason::unsampled);
        return choice.target != nullptr;
    }
    FlowTuple random_flow() {
        auto flow = kFlow;
        const auto bits = random_();
        for (std::size_t i = 12; i < 16; ++i)
            flow.client.address.bytes[i] = static_cast<std::uint8_t>(bits >> (8 * (i - 12)));
        flow.client.port = static_cast<std::uint16_t>(bits >> 32);
        return flow;
    }
    static double share(int count) { return 100.0 * count / kCount; }

    // As after a restart.
    std::vector<umbra_ledger_row> other_rows_ = std::vector<umbra_ledger_row>(UMBRA_MAX_RULES);
    PlanView other_{other_rows_.data()};
    std::mt19937_64 random_{11};
};

TEST_F(Sampling, FlowsAreAllOrNothingNestedAndTheSameAfterARestart) {
    const auto plan = message({sampled({10, 30})});
    ASSERT_TRUE(view_.replace(plan));
    ASSERT_TRUE(other_.replace(plan));
    const RequestHead get{.method = "GET", .target = "/"}, post{.method = "POST", .target = "/x"};
    int small = 0, large = 0;
    for (int i = 0; i < kCount; ++i) {
        const auto flow = random_flow();
        const auto mirrors = view_.choose(flow, &get, 0).mirrors;
        ASSERT_EQ(mirrors.size(), 2u);
        const bool first = taken(mirrors[0]), second = taken(mirrors[1]);
        small += first ? 1 : 0;
        large += second ? 1 : 0;
        ASSERT_TRUE(second || !first) << "the smaller share is a part of the larger one";
        ASSERT_EQ(taken(view_.choose(flow, &post, 0).mirrors[0]), first) << "all of a flow or nothing";
        ASSERT_EQ(taken(view_.choose(flow, nullptr, 0).mirrors[0]), first);
        ASSERT_EQ(taken(other_.choose(flow, &get, 0).mirrors[1]), second);
    }
    EXPECT_NEAR(share(small), 10, 1);
    EXPECT_NEAR(share(large), 30, 1);
}

TEST_F(Sampling, RequestsByThemselves) {
    ASSERT_TRUE(view_.replace(message({sampled({10}, By::request)})));
    const RequestHead get{.method = "GET", .target = "/"};
    int count = 0;
    for (int i = 0; i < kCount; ++i) count += taken(view_.choose(kFlow, &get, 0).mirrors[0]) ? 1 : 0;
    EXPECT_NEAR(share(count), 10, 1) << "of the requests of one connection";
}

TEST_F(Sampling, ValuesOfAHeaderAreSticky) {
    const auto plan = message({sampled({10}, By::header, "x-user")});
    ASSERT_TRUE(view_.replace(plan));
    ASSERT_TRUE(other_.replace(plan));
    int count = 0;
    for (int i = 0; i < kCount; ++i) {
        const auto user = std::to_string(i);
        RequestHead head{.method = "GET", .target = "/"};
        head.headers = {{"X-User", user}};
        const bool first = taken(view_.choose(random_flow(), &head, 0).mirrors[0]);
        count += first ? 1 : 0;
        if (i % 100 != 0) continue;
        ASSERT_EQ(taken(other_.choose(random_flow(), &head, 0).mirrors[0]), first);
    }
    EXPECT_NEAR(share(count), 10, 1);
}

TEST_F(Sampling, AllIsExactAndNoneIsOff) {
    for (const auto by : {By::flow, By::request, By::header}) {
        ASSERT_TRUE(view_.replace(message({sampled({100, 0}, by, "x-user")})));
        const RequestHead get{.method = "GET", .target = "/"};
        for (int i = 0; i < 1000; ++i) {
            const auto mirrors = view_.choose(random_flow(), &get, 0).mirrors;
            ASSERT_TRUE(taken(mirrors[0]));
            ASSERT_FALSE(taken(mirrors[1]));
        }
    }
}

TEST_F(Sampling, AFlowBelongsToTheFirstRuleThatTakesItAsInTheKernel) {
    auto conditional = sampled({20});
    conditional.request = {{"x-canary", rules::HeaderCondition::Kind::exact, "yes"}};
    auto rest = mirror_rule("default/b");
    ASSERT_TRUE(view_.replace(message({conditional, rest})));
    int first = 0, second = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto* row = view_.flow_row(random_flow());
        first += row == &rows_[10] ? 1 : 0;
        second += row == &rows_[11] ? 1 : 0;
    }
    EXPECT_EQ(first + second, 1000);
    EXPECT_GT(first, 100);
    EXPECT_LT(first, 300);
    ASSERT_TRUE(view_.replace(message({sampled({0})})));
    EXPECT_EQ(view_.flow_row(kFlow), &rows_[10]) << "what the kernel would count it under";
}

TEST_F(PlanViewTest, EachMirrorHasARowSettingsAndATargetOfItsOwn) {
    auto rule = mirror_rule("default/a");
    rule.mirrors.resize(3);
    rule.mirrors[1].targets = {{8080, {kV3}}};
    rule.mirrors[1].settings.host = rules::HostPolicy::shadow;
    auto plan = message({mirror_rule("default/0"), rule, mirror_rule("default/z")});
    plan.plan.origins[0].candidates = {1};
    ASSERT_TRUE(view_.replace(plan));
    const RequestHead get{.method = "GET", .target = "/"};
    const auto mirrors = view_.choose(kFlow, &get, 0).mirrors;
    ASSERT_EQ(mirrors.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(mirrors[i].row, &rows_[11 + i]);
    EXPECT_EQ(mirrors[0].target->endpoints, std::vector{kV2});
    EXPECT_EQ(mirrors[1].target->endpoints, std::vector{kV3});
    EXPECT_EQ(mirrors[1].settings->host, rules::HostPolicy::shadow);
    EXPECT_EQ(mirrors[2].target, nullptr);
    EXPECT_EQ(mirrors[2].reason, Reason::no_endpoint);
    EXPECT_NE(mirrors[0].settings, mirrors[2].settings) << "limits are of one mirror, equal settings or not";
    EXPECT_EQ(view_.flow_row(kFlow), &rows_[11]);
}

TEST_F(PlanViewTest, AMirrorKeepsItsSettingsObjectOverReloadsThatDoNotChangeThem) {
    auto rule = mirror_rule("default/a");
    rule.mirrors.resize(2);
    rule.mirrors[1].settings.limits.connections = 5;
    ASSERT_TRUE(view_.replace(message({rule})));
    const RequestHead get{.method = "GET", .target = "/"};
    const auto first = view_.choose(kFlow, &get, 0).mirrors[0].settings;
    const auto second = view_.choose(kFlow, &get, 0).mirrors[1].settings;
    rule.mirrors[1].settings.limits.connections = 6;
    ASSERT_TRUE(view_.replace(message({mirror_rule("default/0"), rule})));
    auto plan = message({mirror_rule("default/0"), rule});
    plan.plan.origins[0].candidates = {1};
    ASSERT_TRUE(view_.replace(plan));
    EXPECT_EQ(view_.choose(kFlow, &get, 0).mirrors[0].settings, first);
    EXPECT_NE(view_.choose(kFlow, &get, 0).mirrors[1].settings, second);
    EXPECT_EQ(view_.choose(kFlow, &get, 0).mirrors[1].settings->limits.connections, 6u);
}

TEST_F(PlanViewTest, UnsafeMethodsAreHeldBackWhereAskedFor) {
    auto rule = mirror_rule("default/a");
    rule.mirrors.resize(2, rule.mirrors[0]);
    rule.mirrors[1].settings.safe_methods_only = true;
    ASSERT_TRUE(view_.replace(message({rule})));
    const auto reason = [&](const RequestHead* head) {
        const auto mirrors = view_.choose(kFlow, head, 0).mirrors;
        EXPECT_NE(mirrors[0].target, nullptr);
        EXPECT_EQ(mirrors[1].target != nullptr, mirrors[1].reason == Reason::no_endpoint);
        return mirrors[1].reason;
    };
    for (const auto* method : {"GET", "HEAD", "OPTIONS", "TRACE"}) {
        const RequestHead head{.method = method, .target = "/"};
        EXPECT_EQ(reason(&head), Reason::no_endpoint) << method;
    }
    for (const auto* method : {"POST", "PUT", "PATCH", "DELETE", "CONNECT", "get"}) {
        const RequestHead head{.method = method, .target = "/"};
        EXPECT_EQ(reason(&head), Reason::unsafe_method) << method;
    }
    EXPECT_EQ(reason(nullptr), Reason::unsafe_method) << "raw bytes may do anything";
    RequestHead upgrade{.method = "GET", .target = "/"};
    upgrade.upgrade = true;
    EXPECT_EQ(reason(&upgrade), Reason::unsafe_method) << "and so may those after a switch of protocols";
}

TEST_F(PlanViewTest, WhatIsOutsideThePercentageIsUnsampledWhateverItsMethod) {
    auto rule = mirror_rule("default/a");
    rule.mirrors[0].percent = 0;
    rule.mirrors[0].settings.safe_methods_only = true;
    ASSERT_TRUE(view_.replace(message({rule})));
    const RequestHead post{.method = "POST", .target = "/"};
    EXPECT_EQ(first(view_.choose(kFlow, &post, 0)).reason, Reason::unsampled);
    EXPECT_EQ(first(view_.choose(kFlow, &post, 0)).row, &rows_[10]);
}

TEST_F(PlanViewTest, TheProtocolIsThatOfTheFlowsRule) {
    EXPECT_EQ(view_.fixed_protocol(kFlow), std::nullopt);
    auto rule = mirror_rule("default/a");
    const std::pair<rules::Protocol, std::optional<Detection>> rows[] = {{rules::Protocol::automatic, std::nullopt},
                                                                         {rules::Protocol::http1, Detection::http1},
                                                                         {rules::Protocol::http2, Detection::http2},
                                                                         {rules::Protocol::raw, Detection::raw}};
    for (const auto& [protocol, detection] : rows) {
        rule.protocol = protocol;
        ASSERT_TRUE(view_.replace(message({rule})));
        EXPECT_EQ(view_.fixed_protocol(kFlow), detection);
        EXPECT_EQ(view_.fixed_protocol({kFlow.client, kV2}), std::nullopt);
    }
}

TEST_F(PlanViewTest, AProtocolHoldsIfAllRulesOfTheFlowAgree) {
    auto conditional = mirror_rule("default/a");
    conditional.request = {{"uri", rules::HeaderCondition::Kind::exact, "/x"}};
    conditional.protocol = rules::Protocol::raw;
    ASSERT_TRUE(view_.replace(message({conditional, mirror_rule("default/b")})));
    EXPECT_EQ(view_.fixed_protocol(kFlow), std::nullopt);
    auto other = mirror_rule("default/b");
    other.protocol = rules::Protocol::raw;
    ASSERT_TRUE(view_.replace(message({conditional, other})));
    EXPECT_EQ(view_.fixed_protocol(kFlow), Detection::raw);
}

TEST_F(PlanViewTest, AMirrorThatMustNotSeeSecretsGetsNoRawBytes) {
    auto rule = mirror_rule("default/a");
    rules::RedactedItem secret;
    secret.name = "authorization";
    rule.mirrors[0].settings.redaction.headers = {secret};
    ASSERT_TRUE(view_.replace(message({rule})));
    const RequestHead get{.method = "GET", .target = "/"};
    EXPECT_NE(first(view_.choose(kFlow, &get, 0)).target, nullptr);
    const Choice raw = first(view_.choose(kFlow, nullptr, 0));
    EXPECT_EQ(raw.target, nullptr);
    EXPECT_EQ(raw.reason, Reason::unsupported_protocol);
}

TEST_F(PlanViewTest, ConditionsSeeTheAuthorityAndSchemeOfHttp2) {
    auto conditional = mirror_rule("default/a");
    conditional.request = {{"authority", rules::HeaderCondition::Kind::exact, "shop"},
                           {"scheme", rules::HeaderCondition::Kind::exact, "https"}};
    ASSERT_TRUE(view_.replace(message({conditional, mirror_rule("default/b")})));
    RequestHead head{.method = "GET", .target = "/", .authority = "shop", .scheme = "https", .version_major = 2};
    EXPECT_EQ(first(view_.choose(kFlow, &head, 0)).row, &rows_[10]);
    head.authority = "other";
    EXPECT_EQ(first(view_.choose(kFlow, &head, 0)).row, &rows_[11]);
}

TEST_F(PlanViewTest, APlanWhoseSlotsAreNotItsRulesIsRefused) {
    auto plan = message({mirror_rule("default/a")});
    plan.plan.rules[0].mirrors.resize(2);
    EXPECT_FALSE(view_.replace(plan));
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
    auto several = mirror_rule("default/a");
    several.mirrors.resize(2);
    several.mirrors[1].settings.marker_header = "x-m";
    const auto sent = message({several, mirror_rule("default/b")});
    ASSERT_EQ(sent.slots.size(), 3u);
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
