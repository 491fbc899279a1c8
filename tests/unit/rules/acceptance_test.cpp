// The acceptance lines of the rule language that concern rules and plans, one test or more for each.
#include <gtest/gtest.h>

#include <algorithm>

#include "documents.h"
#include "rules/explain.h"
#include "rules/plan_json.h"
#include "rules/plan_print.h"
#include "rules/request_match.h"

namespace umbra::rules {
namespace {

using Keys = std::vector<std::string>;

RequestView request(std::string_view method, std::string_view target, std::string_view authority = "httpbin:8080") {
    RequestView view;
    view.method = method;
    view.target = target;
    view.authority = authority;
    return view;
}

// The key of the rule that wins, or "".
std::string winner(const Plan& plan, const std::string& server, const std::string& client, const RequestView* view) {
    const auto* origin = plan.find_origin(*Endpoint::parse(server));
    const auto matcher = PlanMatcher::make(plan);
    if (!origin || !matcher) return "";
    const auto index = select_rule(plan, *matcher, *origin, *IpAddress::parse(client), view);
    return index ? plan.rules[*index].key : "";
}

TEST(Acceptance, R1_PostRuleLoadsVerbatim) {
    const auto outcome = load_text(kPostRule + kHttpbin);
    ASSERT_TRUE(outcome.ok) << print_diagnostics(outcome.diagnostics);
    EXPECT_EQ(print_diagnostics(outcome.diagnostics), "");
    ASSERT_EQ(outcome.plan.rules.size(), 1u);
    const auto& rule = outcome.plan.rules[0];
    EXPECT_EQ(rule.key, "default/mirror-traffic-to-httbin-v2");
    EXPECT_EQ(rule.precedence, 11);
    ASSERT_EQ(rule.mirrors.size(), 1u);
    ASSERT_NE(rule.mirrors[0].live_target(8080), nullptr);
    EXPECT_EQ(rule.mirrors[0].live_target(8080)->endpoints, std::vector<Endpoint>{*Endpoint::parse("10.0.0.2:80")});
    ASSERT_EQ(outcome.plan.origins.size(), 1u);
    EXPECT_EQ(outcome.plan.origins[0].endpoint.to_string(), "10.0.0.1:80");
    EXPECT_EQ(outcome.plan.origins[0].service_port, 8080);
}

TEST(Acceptance, R1_ZeroWeightEntryChangesNothing) {
    auto without = kPostRule;
    const auto entry = without.find("  - labels: \n");
    without.erase(entry, without.find("  mirror:") - entry);
    ASSERT_EQ(without.find("weight: 0"), std::string::npos);
    EXPECT_EQ(plan_of(kPostRule + kHttpbin), plan_of(without + kHttpbin));
    EXPECT_EQ(plan_to_json(plan_of(kPostRule + kHttpbin)), plan_to_json(plan_of(without + kHttpbin)));
}

TEST(Acceptance, R3_HigherPrecedenceWinsAndNothingMerges) {
    const auto plan =
        plan_of(kHttpbin + rule("low", "  precedence: 5\n" + kToV2) +
                rule("high", "  precedence: 7\n  match: {request: {headers: {uri: {prefix: /a}}}}\n" + kToV2) +
                rule("negative", "  precedence: -1\n" + kToV2));
    EXPECT_EQ(candidates_at(plan, "10.0.0.1:80"), (Keys{"default/high", "default/low"}));
    const auto a = request("GET", "/a"), b = request("GET", "/b");
    EXPECT_EQ(winner(plan, "10.0.0.1:80", "10.0.0.9", &a), "default/high");
    EXPECT_EQ(winner(plan, "10.0.0.1:80", "10.0.0.9", &b), "default/low");
}

TEST(Acceptance, R3_EqualPrecedenceGoesByNamespaceAndName) {
    const auto to_v2 =
        "  match: {request: {headers: {x: a}}}\n  mirror: {name: httpbin, namespace: default, labels: {version: v2}}\n";
    const auto text = [&](const std::string& name, const std::string& ns) {
        auto document = rule(name, to_v2, ns);
        document.replace(document.find("{name: httpbin}"), 15, "{name: httpbin, namespace: default}");
        return document;
    };
    const auto plan = plan_of(kHttpbin + text("b", "default") + text("a", "default") + text("z", "alpha"));
    EXPECT_EQ(candidates_at(plan, "10.0.0.1:80"), (Keys{"alpha/z", "default/a", "default/b"}));
}

TEST(Acceptance, R3_DeadRulesAreReported) {
    const auto outcome = load_text(kHttpbin + rule("dead", kToV2) + rule("wide", "  precedence: 1\n" + kToV2));
    EXPECT_TRUE(
        has_finding(outcome.diagnostics, Severity::warning, "RouteRule default/dead never applies: default/wide"));
    const auto alive = load_text(kHttpbin + rule("low", kToV2) +
                                 rule("narrow", "  precedence: 1\n  match: {request: {headers: {x: a}}}\n" + kToV2));
    EXPECT_FALSE(has_finding(alive.diagnostics, Severity::warning, "never applies"));
}

TEST(Acceptance, R3_PathPrefixSlashIsACatchAll) {
    const auto outcome =
        load_text(kHttpbin + rule("low", kToV2) +
                  rule("slash", "  precedence: 1\n  match: {request: {headers: {uri: {prefix: /}}}}\n" + kToV2));
    EXPECT_EQ(candidates_at(outcome.plan, "10.0.0.1:80"), (Keys{"default/slash"}));
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning, "default/low never applies"));
}

TEST(Acceptance, R4_HostNamesResolve) {
    const auto host_of = [](const std::string& destination, const std::string& metadata) {
        const auto plan = plan_of("apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: r" +
                                  metadata + "}\nspec: {destination: {" + destination + "}}\n");
        return plan.rules.at(0).destination;
    };
    EXPECT_EQ(host_of("name: web", ""), "web.default.svc.cluster.local");
    EXPECT_EQ(host_of("name: web", ", namespace: shop"), "web.shop.svc.cluster.local");
    EXPECT_EQ(host_of("name: web, namespace: other", ", namespace: shop"), "web.other.svc.cluster.local");
    EXPECT_EQ(host_of("name: web, domain: svc.example.org", ""), "web.default.svc.example.org");
    EXPECT_EQ(host_of("name: web, domain: example.org", ""), "web.default.example.org");
    EXPECT_EQ(host_of("service: api.example.com", ", namespace: shop"), "api.example.com");
}

TEST(Acceptance, R5_WithTheDefaultRuleAloneNothingIsMirrored) {
    EXPECT_TRUE(plan_of(kDefaultRule + kHttpbin).origins.empty());
    const auto both = plan_of(kDefaultRule + "---\n" + kPostRule + kHttpbin);
    EXPECT_EQ(candidates_at(both, "10.0.0.1:80"), (Keys{"default/mirror-traffic-to-httbin-v2"}));
    EXPECT_TRUE(candidates_at(both, "10.0.0.2:80").empty());
}

TEST(Acceptance, R6_HigherRuleWithoutMirrorTurnsItOff) {
    const auto off = plan_of(kHttpbin + rule("mirror", kToV2) + rule("silent", "  precedence: 9\n"));
    EXPECT_TRUE(off.origins.empty());
    const auto partly =
        plan_of(kHttpbin + rule("mirror", kToV2) +
                rule("silent", "  precedence: 9\n  match: {request: {headers: {uri: {prefix: /private}}}}\n"));
    const auto hidden = request("GET", "/private/x"), open = request("GET", "/public");
    EXPECT_EQ(winner(partly, "10.0.0.1:80", "10.0.0.9", &hidden), "default/silent");
    EXPECT_FALSE(find_rule(partly, "default/silent")->is_live_at(8080));
    EXPECT_EQ(winner(partly, "10.0.0.1:80", "10.0.0.9", &open), "default/mirror");
}

TEST(Acceptance, R7_SourceWorkloadSelects) {
    const auto plan =
        plan_of(kHttpbin + pod("sleep-2", "app: sleep, track: canary", "10.0.0.8") +
                rule("all", "  match: {source: {name: sleep}}\n" + kToV2) +
                rule("canary", "  precedence: 1\n  match: {source: {name: sleep, labels: {track: canary}}}\n" + kToV2));
    EXPECT_EQ(print_sources(*find_rule(plan, "default/all")), "10.0.0.8/32, 10.0.0.9/32");
    EXPECT_EQ(winner(plan, "10.0.0.1:80", "10.0.0.8", nullptr), "default/canary");
    EXPECT_EQ(winner(plan, "10.0.0.1:80", "10.0.0.9", nullptr), "default/all");
    EXPECT_EQ(winner(plan, "10.0.0.1:80", "10.0.0.7", nullptr), "");
}

TEST(Acceptance, R7_SourceSubnetsOfBothFamiliesSelect) {
    const auto plan =
        plan_of(kHttpbin + rule("r", "  match: {tcp: {sourceSubnet: [10.1.0.0/16, 'fd01::/64']}}\n" + kToV2));
    EXPECT_EQ(winner(plan, "10.0.0.1:80", "10.1.200.3", nullptr), "default/r");
    EXPECT_EQ(winner(plan, "10.0.0.1:80", "10.2.0.1", nullptr), "");
    EXPECT_EQ(winner(plan, "10.0.0.1:80", "fd01::7", nullptr), "default/r");
    EXPECT_EQ(winner(plan, "10.0.0.1:80", "fd02::7", nullptr), "");
}

TEST(Acceptance, R7_DestinationSubnetsOfBothFamiliesSelect) {
    const auto more =
        pod("v1-b", "app: httpbin, version: v1", "10.0.1.1") + pod("v1-c", "app: httpbin, version: v1", "'fd00::1'");
    const auto origins = [&](const std::string& subnet) {
        return plan_of(kHttpbin + more + rule("r", "  match: {tcp: {destinationSubnet: [" + subnet + "]}}\n" + kToV2))
            .origins;
    };
    ASSERT_EQ(origins("10.0.1.0/24").size(), 1u);
    EXPECT_EQ(origins("10.0.1.0/24")[0].endpoint.to_string(), "10.0.1.1:80");
    ASSERT_EQ(origins("'fd00::/8'").size(), 1u);
    EXPECT_EQ(origins("'fd00::/8'")[0].endpoint.to_string(), "[fd00::1]:80");
}

TEST(Acceptance, R9_FlowsToAShadowEndpointAreNeverMirrored) {
    const auto plan = plan_of(kHttpbin + rule("whole-service", kToV2));
    EXPECT_EQ(candidates_at(plan, "10.0.0.1:80"), (Keys{"default/whole-service"}));
    EXPECT_EQ(plan.find_origin(*Endpoint::parse("10.0.0.2:80")), nullptr);
    // Also when that mirror endpoint gets no copies itself.
    auto not_ready = kHttpbin;
    not_ready +=
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: v2-b, labels: {app: httpbin, version: v2}}\n"
        "status: {phase: Running, podIP: 10.0.0.3, conditions: [{type: Ready, status: 'False'}]}\n";
    const auto again = plan_of(not_ready + rule("whole-service", kToV2));
    EXPECT_EQ(again.find_origin(*Endpoint::parse("10.0.0.3:80")), nullptr);
    EXPECT_EQ(again.rules[0].mirrors.at(0).live_target(8080)->endpoints.size(), 1u);
}

TEST(Acceptance, R11_UnresolvableMirrorIsOffAndOthersWork) {
    const auto text = kHttpbin + service("other", "app: other", "{port: 80}") + pod("other", "app: other", "10.0.2.1") +
                      rule("broken", "  mirror: {name: gone}\n") +
                      "---\napiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: fine}\n"
                      "spec: {destination: {name: other}, mirror: {name: sleep}}\n";
    const auto outcome = load_text(text);
    ASSERT_TRUE(outcome.ok);
    EXPECT_EQ(find_rule(outcome.plan, "default/broken")->mirrors.at(0).off_reason,
              "no document describes the host 'gone.default.svc.cluster.local'");
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning, "spec.mirror: the mirror is off"));
    EXPECT_TRUE(candidates_at(outcome.plan, "10.0.0.1:80").empty());
    EXPECT_EQ(candidates_at(outcome.plan, "10.0.2.1:80"), (Keys{"default/fine"}));
}

TEST(Acceptance, R12_DeletingARuleRemovesItsOrigins) {
    const auto loaded = load_text(kPostRule + kHttpbin);
    ASSERT_EQ(loaded.plan.origins.size(), 1u);
    const auto removed = remove_rule(loaded.set, "mirror-traffic-to-httbin-v2");
    ASSERT_TRUE(removed.ok);
    EXPECT_TRUE(removed.plan.rules.empty() && removed.plan.origins.empty());
}

TEST(Acceptance, R13_EachProxyFieldWarnsOnceAndChangesNothing) {
    const auto plain = plan_of(kHttpbin + rule("r", kToV2));
    for (const std::string field :
         {"redirect: {uri: /x}", "rewrite: {uri: /x}", "websocketUpgrade: true",
          "httpReqTimeout: {simpleTimeout: {timeout: 1s}}",
          "httpReqRetries: {simpleRetry: {attempts: 1, perTryTimeout: 1s}}",
          "httpFault: {abort: {percent: 1, httpStatus: 500}}", "corsPolicy: {allowOrigin: ['*']}",
          "appendHeaders: {x: a}", "http_req_timeout: {custom: {}}"}) {
        const auto outcome = load_text(kHttpbin + rule("r", "  " + field + "\n" + kToV2));
        EXPECT_TRUE(outcome.ok) << field;
        EXPECT_EQ(outcome.plan, plain) << field;
        EXPECT_EQ(std::count_if(outcome.diagnostics.begin(), outcome.diagnostics.end(),
                                [](const auto& d) { return d.severity == Severity::warning; }),
                  1)
            << field;
        EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning,
                                "cannot be enforced without a proxy in the path; ignored"));
    }
}

TEST(Acceptance, R15_PlanIsIndependentOfDocumentOrder) {
    std::vector<std::string> documents;
    const auto text =
        "---\n" + kPostRule + "---\n" + kDefaultRule + kHttpbin +
        rule("a", "  match: {request: {headers: {x: a}}}\n" + kToV2) +
        rule("b", "  precedence: 20\n  match: {source: {name: sleep}}\n" + kToV2) +
        rule("c", "  precedence: 20\n  match: {source: {name: sleep}}\n  route: [{labels: {version: v3}}]\n" + kToV2) +
        pod("v3", "app: httpbin, version: v3", "10.0.0.33");
    for (std::size_t at = 0; at != std::string::npos;) {
        const auto next = text.find("---\n", at + 1);
        documents.push_back(text.substr(at, next == std::string::npos ? next : next - at));
        at = next;
    }
    ASSERT_EQ(documents.size(), 11u);
    const auto expected = plan_to_json(plan_of(text));
    unsigned random = 12345;
    for (int round = 0; round < 200; ++round) {
        for (std::size_t i = documents.size(); i > 1; --i) {
            random = random * 1103515245u + 12345u;
            std::swap(documents[i - 1], documents[(random >> 16) % i]);
        }
        std::vector<SourceText> sources;
        for (std::size_t i = 0; i < documents.size(); ++i) sources.push_back({"f" + std::to_string(i), documents[i]});
        const auto outcome = apply_sources({}, sources);
        ASSERT_TRUE(outcome.ok);
        ASSERT_EQ(plan_to_json(outcome.plan), expected) << "round " << round;
    }
}

TEST(Acceptance, R16_ExplainNamesTheWinnerOfSelectRule) {
    const auto plan =
        plan_of(kHttpbin + rule("low", kToV2) +
                rule("high", "  precedence: 7\n  match: {request: {headers: {uri: {prefix: /a}}}}\n" + kToV2));
    const FlowTuple flow{*Endpoint::parse("10.0.0.9:40000"), *Endpoint::parse("10.0.0.1:80")};
    for (const std::string_view target : {"/a", "/b"}) {
        const auto view = request("GET", target);
        const auto text = explain_request(plan, flow, view);
        EXPECT_NE(text.find("wins     " + winner(plan, "10.0.0.1:80", "10.0.0.9", &view)), std::string::npos) << text;
        EXPECT_NE(text.find("map entry  10.0.0.1:80 -> default/high, default/low"), std::string::npos) << text;
    }
}

}  // namespace
}  // namespace umbra::rules
