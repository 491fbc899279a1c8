// What a MirrorPolicy makes of its rule: attached, resolved, compiled, listed and explained.
#include <gtest/gtest.h>

#include "documents.h"
#include "rules/explain.h"
#include "rules/listing.h"
#include "rules/plan_json.h"
#include "rules/plan_print.h"
#include "rules/settings_print.h"

namespace umbra::rules {
namespace {

std::string policy(const std::string& name, const std::string& target, const std::string& spec = "",
                   const std::string& ns = "default") {
    return "---\napiVersion: umbra.dev/v1alpha1\nkind: MirrorPolicy\nmetadata:\n  name: " + name +
           "\n  namespace: " + ns + "\nspec:\n  targetRef: {kind: RouteRule, name: " + target + "}\n" + spec;
}

const std::string kV3 = pod("httpbin-v3", "app: httpbin, version: v3", "10.0.0.3");
const std::string kEverySetting =
    "  protocol: http1\n  percent: 12.5\n  sampling: {by: header, header: X-User}\n"
    "  host: {policy: literal, value: 'v2.example:80'}\n"
    "  headers: {set: {X-B: \"\\\"b\\\"\", x-a: a}, add: {x-c: d}, remove: [X-E]}\n"
    "  requestId: {header: X-Request-Id}\n  marker: {header: X-Umbra-Mirror}\n"
    "  redact:\n    credentials: hash\n    headers:\n    - {name: X-Api-Key, action: replace, replacement: '***'}\n"
    "    - {name: Cookie, action: drop}\n    query: [{name: token}]\n"
    "  clientAddress: forwardedFor\n  tls: {serverName: v2.example, caFile: /etc/ssl/x.pem}\n"
    "  safeMethodsOnly: true\n  loadBalancing: clientHash\n  order: request\n"
    "  limits: {connections: 64, inFlight: 256, queuedBytes: 16Mi, bytesPerSecond: 10M}\n"
    "  timeouts: {connect: 1s, response: 15s, idle: 1m}\n";

TEST(Policy, EveryFieldArrivesInThePlan) {
    const auto plan = plan_of(kHttpbin + rule("r", kToV2) + policy("p", "r", kEverySetting));
    ASSERT_EQ(plan.rules.size(), 1u);
    EXPECT_EQ(plan.rules[0].protocol, Protocol::http1);
    ASSERT_EQ(plan.rules[0].mirrors.size(), 1u);
    EXPECT_EQ(plan.rules[0].mirrors[0].percent, 12.5);
    using Action = RedactedItem::Action;
    MirrorSettings expected;
    expected.sampling = {Sampling::By::header, "x-user"};
    expected.host = HostPolicy::literal;
    expected.host_literal = "v2.example:80";
    expected.headers = {{{"x-b", "\"b\""}, {"x-a", "a"}}, {{"x-c", "d"}}, {"x-e"}};
    expected.request_id_header = "x-request-id";
    expected.marker_header = "x-umbra-mirror";
    expected.marker_value = "default/r";
    expected.redaction.headers = {{"authorization", Action::hash, ""},
                                  {"proxy-authorization", Action::hash, ""},
                                  {"cookie", Action::drop, ""},
                                  {"x-api-key", Action::replace, "***"}};
    expected.redaction.query = {{"token", Action::drop, ""}};
    expected.client_address = ClientAddress::forwarded_for;
    expected.tls = {true, true, "v2.example", "/etc/ssl/x.pem"};
    expected.safe_methods_only = true;
    expected.balance = Balance::client_hash;
    expected.order = Order::request;
    expected.limits = {64, 256, 16u << 20, 10'000'000};
    expected.timeouts = {kSecond, 15 * kSecond, 60 * kSecond};
    EXPECT_EQ(plan.rules[0].mirrors[0].settings, expected) << print_settings(plan.rules[0].mirrors[0].settings);
    const auto again = plan_from_json(plan_to_json(plan));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, plan);
}

TEST(Policy, EverySettingIsPrinted) {
    const auto plan = plan_of(kHttpbin + rule("r", kToV2) + policy("p", "r", kEverySetting));
    EXPECT_EQ(print_settings(plan.rules[0].mirrors[0].settings),
              "host v2.example:80; set x-b, x-a; add x-c; remove x-e; request id in x-request-id; marker in "
              "x-umbra-mirror; redact authorization (hash), proxy-authorization (hash), cookie (drop), x-api-key "
              "(replace); redact in the query token (drop); client address by forwardedFor; TLS to v2.example, "
              "trusting /etc/ssl/x.pem; safe methods only; balanced by clientHash; requests spread over a pool; at "
              "most 64 connections; at most 256 requests in flight; at most 16777216 bytes queued; at most 10000000 "
              "bytes/s; connect within 1 s; response within 15 s; idle for at most 60 s");
    EXPECT_EQ(print_settings({}), "");
    MirrorSettings other;
    other.host = HostPolicy::shadow;
    other.tls = {true, false, "", ""};
    EXPECT_EQ(print_settings(other), "host shadow; TLS, not verified");
}

TEST(Policy, WithoutOneAMirrorIsPlain) {
    const auto plan = plan_of(kHttpbin + rule("r", kToV2));
    EXPECT_EQ(plan.rules[0].mirrors.at(0).settings, MirrorSettings{});
    EXPECT_EQ(plan.rules[0].mirrors.at(0).percent, 100.0);
    EXPECT_EQ(plan_of(kHttpbin + rule("r", kToV2) + policy("p", "r")), plan) << "a policy that says nothing";
}

TEST(Policy, FurtherMirrorsInheritUnlessTheySayOtherwise) {
    const auto plan =
        plan_of(kHttpbin + kV3 + rule("r", kToV2) +
                policy("p", "r",
                       "  percent: 50\n  marker: {header: x-m}\n  limits: {connections: 5, inFlight: 6}\n  mirrors:\n"
                       "  - {name: httpbin, labels: {version: v3}, percent: 10, limits: {connections: 7}}\n"
                       "  - {name: sleep, namespace: default, order: request, marker: {header: x-n, value: other}}\n"));
    const auto& mirrors = plan.rules[0].mirrors;
    ASSERT_EQ(mirrors.size(), 3u);
    EXPECT_EQ(print_mirrors(plan.rules[0]),
              "httpbin.default.svc.cluster.local version=v2, httpbin.default.svc.cluster.local version=v3, "
              "sleep.default.svc.cluster.local");
    EXPECT_EQ(mirrors[0].percent, 50);
    EXPECT_EQ(mirrors[1].percent, 10);
    EXPECT_EQ(mirrors[1].settings.marker_header, "x-m");
    EXPECT_EQ(mirrors[1].settings.limits, (MirrorLimits{7, 0, 0, 0})) << "a field replaces all that it said before";
    EXPECT_EQ(mirrors[2].percent, 50);
    EXPECT_EQ(mirrors[2].settings.order, Order::request);
    EXPECT_EQ(mirrors[2].settings.marker_value, "other");
    EXPECT_EQ(mirrors[2].settings.limits, (MirrorLimits{5, 6, 0, 0}));
    EXPECT_EQ(slot_keys(plan), (std::vector<std::string>{"default/r", "default/r#2", "default/r#3"}));
}

TEST(Policy, FurtherMirrorsResolveLikeTheRulesOwn) {
    const auto text = kHttpbin + kV3 + rule("r", kToV2) +
                      policy("p", "r",
                             "  mirrors:\n  - {name: httpbin, labels: {version: v3}}\n  - {name: gone}\n"
                             "  - {name: httpbin, labels: {version: v9}}\n");
    const auto outcome = load_text(text);
    ASSERT_TRUE(outcome.ok) << print_diagnostics(outcome.diagnostics);
    const auto& mirrors = outcome.plan.rules[0].mirrors;
    EXPECT_EQ(mirrors[1].live_target(8080)->endpoints.at(0).to_string(), "10.0.0.3:80");
    EXPECT_EQ(mirrors[2].off_reason, "no document describes the host 'gone.default.svc.cluster.local'");
    EXPECT_EQ(mirrors[3].off_reason, "'httpbin.default.svc.cluster.local' has no endpoint with the labels version=v9");
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning, "spec.mirrors[1]: the mirror is off"));
    EXPECT_EQ(outcome.plan.find_origin(*Endpoint::parse("10.0.0.3:80")), nullptr) << "an endpoint of a mirror";
    EXPECT_NE(outcome.plan.find_origin(*Endpoint::parse("10.0.0.1:80")), nullptr);
    EXPECT_EQ(list_rules(outcome.plan).at(0).status,
              "mirroring; mirror 3 off: no document describes the host 'gone.default.svc.cluster.local'; mirror 4 off: "
              "'httpbin.default.svc.cluster.local' has no endpoint with the labels version=v9");
}

TEST(Policy, GivesARuleWithoutMirrorItsMirrors) {
    const auto plan = plan_of(kHttpbin + rule("r", "") +
                              policy("p", "r", "  percent: 7\n  mirrors: [{name: httpbin, labels: {version: v2}}]\n"));
    ASSERT_EQ(plan.rules[0].mirrors.size(), 1u);
    EXPECT_EQ(plan.rules[0].mirrors[0].percent, 7);
    EXPECT_EQ(slot_keys(plan), std::vector<std::string>{"default/r"});
    EXPECT_EQ(candidates_at(plan, "10.0.0.1:80"), std::vector<std::string>{"default/r"});
    const auto none = load_text(kHttpbin + rule("r", "") + policy("p", "r"));
    EXPECT_TRUE(none.ok);
    EXPECT_TRUE(has_finding(none.diagnostics, Severity::warning, "RouteRule default/r has no mirror, and the policy"));
}

TEST(Policy, ARuleWhoseMirrorsAreAllOriginsOfItselfMirrorsNothing) {
    const auto outcome = load_text(kHttpbin + rule("r", "") + policy("p", "r", "  mirrors: [{name: httpbin}]\n"));
    EXPECT_TRUE(outcome.plan.origins.empty());
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning,
                            "spec.mirrors[0]: every endpoint of the route is also one of the mirror"));
}

TEST(Policy, RingsOverFurtherMirrorsAreReported) {
    const auto outcome =
        load_text(kHttpbin + service("echo", "app: echo", "{port: 8080}") + pod("echo", "app: echo", "10.0.0.7") +
                  rule("r", kToV2) + policy("p", "r", "  mirrors: [{name: echo}]\n") +
                  "---\napiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: back}\n"
                  "spec: {destination: {name: echo}, mirror: {name: httpbin, labels: {version: v1}}}\n");
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning, "RouteRule default/r is part of a ring"));
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning, "RouteRule default/back is part of a ring"));
}

TEST(Policy, IsForARuleOfItsOwnNamespace) {
    const auto outcome = load_text(kHttpbin + rule("mirror", kToV2) + policy("p", "miror", "  percent: 1\n") +
                                   policy("q", "mirror", "  percent: 1\n", "shop"));
    EXPECT_TRUE(outcome.ok);
    EXPECT_EQ(outcome.plan.rules[0].mirrors[0].percent, 100);
    EXPECT_TRUE(
        has_finding(outcome.diagnostics, Severity::warning,
                    "spec.targetRef.name: no RouteRule 'default/miror': MirrorPolicy default/p is not in force\n"
                    "  hint: did you mean 'mirror'?"))
        << print_diagnostics(outcome.diagnostics);
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning, "no RouteRule 'shop/mirror'"));
    const auto rows = list_policies(outcome.set);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].status, "no such rule");
}

TEST(Policy, TwoForOneRuleAreAnErrorThatNamesBoth) {
    const SourceText rules{"rules.yaml", kHttpbin + rule("r", kToV2)}, one{"one.yaml", policy("p", "r")},
        two{"two.yaml", policy("q", "r")};
    const auto outcome = apply_sources({}, {rules, two, one});
    EXPECT_FALSE(outcome.ok);
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::error,
                            "two.yaml:8:32: error: spec.targetRef.name: MirrorPolicy default/q (two.yaml:2): RouteRule "
                            "default/r has a policy already, default/p at one.yaml:2"))
        << print_diagnostics(outcome.diagnostics);
}

TEST(Policy, RawForARuleOfRequestsIsReported) {
    const auto outcome = load_text(kHttpbin + rule("r", "  match: {request: {headers: {uri: /a}}}\n" + kToV2) +
                                   policy("p", "r", "  protocol: raw\n"));
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning, "matches requests, and raw bytes are none"));
}

TEST(Policy, DoesNotDependOnTheOrderOfDocuments) {
    const std::string a = rule("r", kToV2), b = policy("p", "r", "  percent: 3\n  mirrors: [{name: sleep}]\n"),
                      c = policy("q", "other");
    const auto plan = plan_of(kHttpbin + a + b + c);
    EXPECT_EQ(plan_to_json(plan), plan_to_json(plan_of(c + b + kHttpbin + a)));
    EXPECT_EQ(plan_to_json(plan), plan_to_json(plan_of(b + a + c + kHttpbin)));
}

TEST(Policy, IsAppliedListedAndRemovedLikeARule) {
    const auto base = load_text(kHttpbin + rule("r", kToV2));
    const auto with = apply_sources(base.set, {{"p.yaml", policy("p", "r", "  percent: 5\n")}});
    ASSERT_TRUE(with.ok);
    EXPECT_EQ(with.plan.rules[0].mirrors[0].percent, 5);
    const auto rows = list_policies(with.set, "p");
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].key, "default/p");
    EXPECT_EQ(rows[0].rule, "default/r");
    EXPECT_EQ(rows[0].protocol, "automatic");
    EXPECT_EQ(rows[0].mirrors, 0u);
    EXPECT_EQ(rows[0].status, "in force");
    EXPECT_TRUE(list_policies(with.set, "x").empty());
    const auto text = describe_change(base.set, base.plan, with.set, with.plan);
    EXPECT_NE(text.find("added      MirrorPolicy default/p"), std::string::npos) << text;
    EXPECT_NE(text.find("5 % of flows"), std::string::npos) << text;
    const auto without = remove_policy(with.set, "default/p");
    ASSERT_TRUE(without.ok);
    EXPECT_EQ(without.plan, base.plan);
    const auto unknown = remove_policy(with.set, "pp");
    EXPECT_FALSE(unknown.ok);
    EXPECT_TRUE(has_finding(unknown.diagnostics, Severity::error, "no policy 'pp'\n  hint: did you mean 'p'?"));
    EXPECT_TRUE(remove_rule(with.set, "r").ok) << "its policy stays, with a warning";
}

TEST(Policy, AMirrorOfNothingIsOff) {
    const auto plan = plan_of(kHttpbin + rule("r", kToV2) + policy("p", "r", "  percent: 0\n"));
    EXPECT_EQ(list_rules(plan).at(0).status, "mirror off: its percentage is 0");
}

TEST(Policy, SlotsOfFurtherMirrorsCountAgainstTheLimit) {
    std::string text = kHttpbin;
    for (int i = 0; i < 100; ++i) {
        const auto name = "r" + std::to_string(i);
        text += rule(name, "  match: {request: {headers: {x: '" + name + "'}}, source: {service: 10.1.0." +
                               std::to_string(i) + "/32}}\n") +
                policy(name, name, "  mirrors: [{name: gone}, {name: gone}, {name: gone}]\n");
    }
    const auto outcome = load_text(text);
    EXPECT_FALSE(outcome.ok);
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::error, "more than 256 rules, counting one more for each"));
}

class PolicyExplained : public testing::Test {
protected:
    std::string explained(const std::string& spec, const RequestView& request, bool with_flow = true) {
        const auto plan = plan_of(kHttpbin + kV3 + rule("r", kToV2) + policy("p", "r", spec));
        const FlowTuple flow{*Endpoint::parse("10.0.0.9:40000"), *Endpoint::parse("10.0.0.1:80")};
        return explain_request(plan, with_flow ? std::optional(flow) : std::nullopt, request);
    }
    static RequestView request(std::string_view method) {
        RequestView view;
        view.method = method;
        view.target = "/";
        view.authority = "httpbin";
        return view;
    }
};

TEST_F(PolicyExplained, EachMirrorWithItsShareAndSettings) {
    const auto text = explained(
        "  protocol: http1\n  host: {policy: shadow}\n  mirrors:\n  - {name: httpbin, labels: {version: v3}, percent: "
        "0}\n"
        "  - {name: gone}\n",
        request("GET"));
    EXPECT_NE(
        text.find("protocol   http1\n"
                  "result     100 % of flows are mirrored to httpbin.default.svc.cluster.local version=v2: one of "
                  "10.0.0.2:80\n"
                  "  settings host shadow\n"
                  "  taken    yes\n"
                  "result     0 % of flows are mirrored to httpbin.default.svc.cluster.local version=v3: one of "
                  "10.0.0.3:80\n"
                  "  settings host shadow\n"
                  "  taken    no: it is outside the percentage\n"
                  "result     nothing is mirrored to gone.default.svc.cluster.local: no endpoint here\n"),
        std::string::npos)
        << text;
}

TEST_F(PolicyExplained, WhetherARequestIsTaken) {
    const auto has = [](const std::string& text, const std::string& part) {
        return text.find("  taken    " + part + "\n") != std::string::npos;
    };
    const std::string safe = "  safeMethodsOnly: true\n";
    EXPECT_TRUE(has(explained(safe, request("GET")), "yes"));
    EXPECT_TRUE(has(explained(safe, request("POST")), "no: POST may write, and the mirror takes safe methods only"));
    EXPECT_TRUE(has(explained("  percent: 50\n  sampling: {by: request}\n", request("GET")), "by chance"));
    EXPECT_TRUE(has(explained("  percent: 50\n", request("GET"), false), "its connection decides"));
    EXPECT_FALSE(has(explained("  percent: 50\n", request("GET")), "its connection decides"));
    int taken = 0;
    for (int i = 0; i < 20; ++i) {
        auto asked = request("GET");
        const auto user = std::to_string(i);
        asked.headers = {{"x-user", user}};
        const auto text = explained("  percent: 50\n  sampling: {by: header, header: x-user}\n", asked);
        EXPECT_NE(text.find("50 % of requests by the value of x-user"), std::string::npos);
        taken += has(text, "yes") ? 1 : 0;
    }
    EXPECT_GT(taken, 0);
    EXPECT_LT(taken, 20);
}

}  // namespace
}  // namespace umbra::rules
