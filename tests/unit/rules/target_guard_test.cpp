// Where copies may go: by default, with --allow-targets, with --only-targets.
#include "rules/target_guard.h"

#include <gtest/gtest.h>

#include "documents.h"

namespace umbra::rules {
namespace {

std::string refusal(const TargetGuard& guard, const std::string& endpoint, bool loopback_destination = false) {
    return guard.refuses(*Endpoint::parse(endpoint), loopback_destination);
}

TargetGuard guard(const std::vector<std::string>& allowed, const std::vector<std::string>& only = {}) {
    return target_guard(allowed, only).value();
}

TEST(TargetGuard, OrdinaryAddressesAreTargets) {
    for (const char* endpoint :
         {"10.0.0.1:80", "172.16.0.1:80", "192.168.1.1:80", "8.8.8.8:80", "100.64.0.1:80", "169.253.255.255:80",
          "169.255.0.0:80", "223.255.255.255:80", "[fd00:ec2::253]:80", "[2001:db8::1]:80", "[fec0::1]:80", "[::2]:80"})
        EXPECT_EQ(refusal({}, endpoint), "") << endpoint;
}

TEST(TargetGuard, WhatOnlyThisHostCanReachIsRefused) {
    const std::pair<const char*, const char*> cases[] = {
        {"127.0.0.1:80", "a loopback address"},
        {"127.255.255.254:80", "a loopback address"},
        {"[::1]:80", "a loopback address"},
        {"[::ffff:127.0.0.1]:80", ""},  // no endpoint: it is written as IPv4
        {"0.0.0.0:80", "an unspecified address"},
        {"[::]:80", "an unspecified address"},
        {"169.254.169.254:80", "a cloud's metadata service"},
        {"[fd00:ec2::254]:80", "a cloud's metadata service"},
        {"169.254.170.2:80", "a link-local address"},
        {"[fe80::1]:80", "a link-local address"},
        {"[febf::1]:80", "a link-local address"},
        {"224.0.0.1:80", "a multicast address"},
        {"[ff02::1]:80", "a multicast address"},
        {"255.255.255.255:80", "the broadcast address"}};
    for (const auto& [text, what] : cases) {
        const auto endpoint = Endpoint::parse(text);
        if (endpoint)
            EXPECT_EQ(TargetGuard{}.refuses(*endpoint, false), what) << text;
        else
            EXPECT_STREQ(what, "") << text;
    }
}

TEST(TargetGuard, LoopbackIsATargetOfALoopbackDestination) {
    EXPECT_EQ(refusal({}, "127.0.0.2:80", true), "");
    EXPECT_EQ(refusal({}, "[::1]:80", true), "");
    EXPECT_EQ(refusal({}, "169.254.169.254:80", true), "a cloud's metadata service");
    EXPECT_EQ(refusal(guard({}, {"10.0.0.0/8"}), "127.0.0.2:80", true), "outside of --only-targets");
}

TEST(TargetGuard, NamedBlocksAreAllowed) {
    const auto some = guard({"127.0.0.0/30", "169.254.0.0/16"});
    EXPECT_EQ(refusal(some, "127.0.0.1:80"), "");
    EXPECT_EQ(refusal(some, "127.0.0.4:80"), "a loopback address");
    EXPECT_EQ(refusal(some, "169.254.169.254:80"), "");
    EXPECT_EQ(refusal(some, "[fe80::1]:80"), "a link-local address");
}

TEST(TargetGuard, OnlyTargetsIsAnAllowList) {
    const auto only = guard({"127.0.0.1"}, {"10.0.0.0/8", "fd00::/8", "169.254.0.0/16"});
    EXPECT_EQ(refusal(only, "10.1.2.3:80"), "");
    EXPECT_EQ(refusal(only, "[fd12::1]:80"), "");
    EXPECT_EQ(refusal(only, "11.0.0.1:80"), "outside of --only-targets");
    EXPECT_EQ(refusal(only, "127.0.0.1:80"), "outside of --only-targets");
    EXPECT_EQ(refusal(only, "169.254.0.1:80"), "a link-local address") << "listed, but not allowed by name";
}

TEST(TargetGuard, TheAgentsOwnPortIsNeverATarget) {
    auto own = guard({"0.0.0.0/0"});
    own.own = {*Endpoint::parse("10.0.0.1:9464")};
    EXPECT_EQ(refusal(own, "10.0.0.1:9464"), "where the agent itself listens");
    EXPECT_EQ(refusal(own, "10.0.0.1:80"), "");
    EXPECT_EQ(refusal(own, "10.0.0.2:9464"), "");
}

TEST(TargetGuard, BlocksThatAreNone) {
    for (const char* text : {"", "10.0.0.0/33", "localhost", "10.0.0.0/8,11.0.0.0/8", "fd00::/129"}) {
        EXPECT_EQ(target_guard({text}, {}).error().code, ErrorCode::usage) << text;
        EXPECT_EQ(target_guard({}, {text}).error().code, ErrorCode::usage) << text;
    }
}

std::string two_mirrors(const std::string& v1, const std::string& first, const std::string& second) {
    return service("httpbin", "app: httpbin", "{name: http, port: 8080, targetPort: 80}") +
           pod("v1", "app: httpbin, version: v1", v1) + pod("v2a", "app: httpbin, version: v2", first) +
           pod("v2b", "app: httpbin, version: v2", second) + rule("r", kToV2);
}

LoadOutcome compiled(const std::string& text, const TargetGuard& targets) {
    CompileOptions options;
    options.targets = targets;
    return apply_sources({}, {{"test.yaml", text}}, options);
}

TEST(TargetGuard, ARefusedEndpointIsLeftOutWithAWarning) {
    const auto outcome = compiled(two_mirrors("10.0.0.1", "169.254.169.254", "10.0.0.3"), {});
    ASSERT_TRUE(outcome.ok);
    const auto& mirror = outcome.plan.rules.at(0).mirrors.at(0);
    ASSERT_EQ(mirror.live_target(8080)->endpoints.size(), 1u);
    EXPECT_EQ(mirror.live_target(8080)->endpoints.at(0).to_string(), "10.0.0.3:80");
    EXPECT_EQ(mirror.off_reason, "");
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning,
                            "169.254.169.254:80 gets no copies: it is a cloud's metadata service"));
    EXPECT_EQ(outcome.plan.find_origin(*Endpoint::parse("169.254.169.254:80")), nullptr)
        << "a mirror's endpoint stays one: calls to it are not mirrored by its rule";
}

TEST(TargetGuard, AMirrorWithoutAnyOtherEndpointIsOff) {
    const auto text = two_mirrors("10.0.0.1", "127.0.0.2", "169.254.0.3");
    const auto outcome = compiled(text, {});
    ASSERT_TRUE(outcome.ok);
    EXPECT_TRUE(outcome.plan.origins.empty());
    EXPECT_EQ(outcome.plan.rules.at(0).mirrors.at(0).off_reason,
              "169.254.0.3:80 gets no copies: it is a link-local address; "
              "127.0.0.2:80 gets no copies: it is a loopback address");
    EXPECT_EQ(compiled(text, guard({"127.0.0.0/8"})).plan.origins.size(), 1u);
    EXPECT_TRUE(compiled(text, guard({"127.0.0.0/8"}, {"10.0.0.0/8"})).plan.origins.empty());
}

TEST(TargetGuard, VersionsOnLoopbackMirrorToEachOther) {
    const auto outcome = compiled(two_mirrors("127.0.0.1", "127.0.0.2", "127.0.0.3"), {});
    EXPECT_EQ(outcome.plan.rules.at(0).mirrors.at(0).live_target(8080)->endpoints.size(), 2u);
    const auto mixed = two_mirrors("127.0.0.1", "127.0.0.2", "127.0.0.3") + pod("far", "app: httpbin", "10.0.0.9");
    EXPECT_TRUE(compiled(mixed, {}).plan.origins.empty()) << "clients of another address would reach this host's";
}

}  // namespace
}  // namespace umbra::rules
