#include "rules/request_match.h"

#include <gtest/gtest.h>

namespace umbra::rules {
namespace {

using Kind = HeaderCondition::Kind;

RequestView request(std::string_view target, std::string_view method = "GET") {
    RequestView view;
    view.method = method;
    view.target = target;
    view.authority = "httpbin:8080";
    return view;
}

bool holds(const HeaderCondition& condition, const RequestView& view) {
    PlanRule rule;
    rule.request = {condition};
    return request_matches(rule, view);
}

TEST(RequestMatch, R7_UriIsThePathWithoutQuery) {
    EXPECT_TRUE(holds({"uri", Kind::exact, "/a"}, request("/a?b=c")));
    EXPECT_TRUE(holds({"uri", Kind::exact, "/a"}, request("/a#f")));
    EXPECT_FALSE(holds({"uri", Kind::exact, "/a"}, request("/a/")));
    EXPECT_FALSE(holds({"uri", Kind::exact, "/a"}, request("/A")));
    EXPECT_TRUE(holds({"uri", Kind::prefix, "/a"}, request("/ab?c")));
    EXPECT_FALSE(holds({"uri", Kind::prefix, "/ab?"}, request("/ab?c")));
    EXPECT_TRUE(holds({"uri", Kind::regex, "/a.*"}, request("/abc?d=/e")));
    EXPECT_FALSE(holds({"uri", Kind::regex, "/a"}, request("/abc")));
    EXPECT_FALSE(holds({"uri", Kind::regex, "b"}, request("/abc")));
}

TEST(RequestMatch, R7_UriOfOtherTargetForms) {
    EXPECT_TRUE(holds({"uri", Kind::exact, "/a"}, request("http://host:1/a?b")));
    EXPECT_TRUE(holds({"uri", Kind::exact, "/"}, request("http://host?b")));
    EXPECT_TRUE(holds({"uri", Kind::exact, "/"}, request("http://host")));
    EXPECT_TRUE(holds({"uri", Kind::exact, "*"}, request("*", "OPTIONS")));
    EXPECT_TRUE(holds({"uri", Kind::exact, "/x://y"}, request("/x://y")));
    EXPECT_FALSE(holds({"uri", Kind::prefix, "/"}, request("host:443", "CONNECT")));
}

TEST(RequestMatch, R7_MethodAuthorityScheme) {
    EXPECT_TRUE(holds({"method", Kind::exact, "POST"}, request("/", "POST")));
    EXPECT_FALSE(holds({"method", Kind::exact, "post"}, request("/", "POST")));
    EXPECT_TRUE(holds({"method", Kind::regex, "GET|HEAD"}, request("/", "HEAD")));
    EXPECT_TRUE(holds({"authority", Kind::exact, "httpbin:8080"}, request("/")));
    EXPECT_TRUE(holds({"authority", Kind::prefix, "httpbin"}, request("/")));
    EXPECT_TRUE(holds({"authority", Kind::exact, "other"}, request("http://other/a")));
    EXPECT_TRUE(holds({"scheme", Kind::exact, "http"}, request("/")));
    EXPECT_TRUE(holds({"scheme", Kind::exact, "ftp"}, request("ftp://other/a")));
    auto hosted = request("/");
    hosted.authority = "";
    hosted.headers = {{"Host", "from-header"}};
    EXPECT_TRUE(holds({"authority", Kind::exact, "from-header"}, hosted));
}

TEST(RequestMatch, R7_Headers) {
    auto view = request("/");
    view.headers = {{"cookie", "a=1"}, {"X-User", "jason"}, {"cookie", "user=jason"}, {"empty", ""}};
    EXPECT_TRUE(holds({"x-user", Kind::exact, "jason"}, view));
    EXPECT_FALSE(holds({"x-user", Kind::exact, "Jason"}, view));
    EXPECT_TRUE(holds({"cookie", Kind::regex, "(.*;)?user=jason(;.*)?"}, view));
    EXPECT_TRUE(holds({"cookie", Kind::prefix, "a="}, view));
    EXPECT_FALSE(holds({"absent", Kind::regex, ".*"}, view));
    EXPECT_FALSE(holds({"absent", Kind::exact, ""}, view));
    EXPECT_TRUE(holds({"empty", Kind::exact, ""}, view));
    view.headers = {{"raw", std::string_view("\xff\x00\n", 3)}};
    EXPECT_TRUE(holds({"raw", Kind::regex, "..."}, view));
}

TEST(RequestMatch, AllConditionsMustHold) {
    PlanRule rule;
    rule.request = {{"method", Kind::exact, "GET"}, {"uri", Kind::prefix, "/a"}};
    EXPECT_TRUE(request_matches(rule, request("/a")));
    EXPECT_FALSE(request_matches(rule, request("/b")));
    const auto matcher = RequestMatcher::make(rule);
    ASSERT_TRUE(matcher);
    EXPECT_EQ(matcher->first_failing(request("/b")), 1u);
    EXPECT_EQ(matcher->first_failing(request("/a", "PUT")), 0u);
    EXPECT_TRUE(request_matches(PlanRule{}, request("/")));
}

TEST(RequestMatch, InvalidExpressionIsAnErrorOfTheRule) {
    Plan plan;
    plan.rules.resize(1);
    plan.rules[0].key = "default/r";
    plan.rules[0].request = {{"uri", Kind::regex, "("}};
    const auto matcher = PlanMatcher::make(plan);
    ASSERT_FALSE(matcher);
    EXPECT_EQ(
        matcher.error().message.find("compiling rule 'default/r', condition on 'uri': invalid regular expression"), 0u);
    EXPECT_FALSE(request_matches(plan.rules[0], request("/")));
}

// Two conditional rules, one for a source, one for everybody.
Plan three_rules() {
    Plan plan;
    plan.rules.resize(3);
    plan.rules[0].request = {{"uri", Kind::prefix, "/a"}};
    plan.rules[1].source_restricted = true;
    plan.rules[1].sources = {*IpPrefix::parse("10.0.0.0/8")};
    plan.origins = {{*Endpoint::parse("10.0.0.1:80"), "h", 80, {0, 1, 2}}};
    return plan;
}

TEST(SelectRule, TakesTheFirstThatHolds) {
    const auto plan = three_rules();
    const auto matcher = PlanMatcher::make(plan);
    ASSERT_TRUE(matcher);
    const auto inside = *IpAddress::parse("10.1.1.1"), outside = *IpAddress::parse("11.1.1.1");
    const auto a = request("/a"), b = request("/b");
    const auto select = [&](const IpAddress& client, const RequestView* view) {
        return select_rule(plan, *matcher, plan.origins[0], client, view);
    };
    EXPECT_EQ(select(inside, &a), 0u);
    EXPECT_EQ(select(inside, &b), 1u);
    EXPECT_EQ(select(outside, &b), 2u);
    EXPECT_EQ(select(inside, nullptr), 1u);  // raw TCP: conditions on requests do not hold
    EXPECT_EQ(select(outside, nullptr), 2u);
}

TEST(SelectRule, FindsNoneWhenNoneHolds) {
    auto plan = three_rules();
    plan.origins[0].candidates = {0, 1};
    plan.rules[1].sources.clear();
    const auto matcher = PlanMatcher::make(plan);
    EXPECT_EQ(select_rule(plan, *matcher, plan.origins[0], *IpAddress::parse("10.1.1.1"), nullptr), std::nullopt);
}

}  // namespace
}  // namespace umbra::rules
