#include "rules/compile.h"

#include <gtest/gtest.h>

#include "documents.h"
#include "rules/plan_print.h"

#include "umbra/abi/limits.h"

namespace umbra::rules {
namespace {

using Keys = std::vector<std::string>;

std::string other_rule(const std::string& name, const std::string& destination, const std::string& spec) {
    return "---\napiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: " + name +
           "}\nspec:\n  destination: {" + destination + "}\n" + spec;
}

std::string numbered_ip(unsigned i) {
    return "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255);
}

TEST(Compile, RouteLabelsSelectOriginEndpoints) {
    const auto three = kHttpbin + pod("v3", "app: httpbin, version: v3", "10.0.0.3");
    EXPECT_EQ(plan_of(three + rule("r", "  route: [{labels: {version: v1}}]\n" + kToV2)).origins.size(), 1u);
    EXPECT_EQ(
        plan_of(
            three +
            rule("r", "  route: [{labels: {version: v1}, weight: 50}, {labels: {version: v3}, weight: 50}]\n" + kToV2))
            .origins.size(),
        2u);
    EXPECT_EQ(plan_of(three + rule("r", kToV2)).origins.size(), 2u);
    EXPECT_EQ(plan_of(three + rule("r", "  route: [{labels: {version: v1}, weight: 0}]\n" + kToV2)).origins.size(), 1u);
    EXPECT_EQ(plan_of(three + rule("r", "  route: [{labels: {version: ''}}]\n" + kToV2)).origins.size(), 0u);
}

TEST(Compile, WinnerThatDoesNotSelectAnEndpointStillWins) {
    const auto text = kHttpbin + pod("v3", "app: httpbin, version: v3", "10.0.0.3") + rule("low", kToV2);
    const auto catch_all =
        plan_of(text + rule("high", "  precedence: 1\n  route: [{labels: {version: v1}}]\n" + kToV2));
    EXPECT_EQ(candidates_at(catch_all, "10.0.0.1:80"), (Keys{"default/high"}));
    EXPECT_TRUE(candidates_at(catch_all, "10.0.0.3:80").empty());
    const auto conditional = plan_of(text + rule("high",
                                                 "  precedence: 1\n  route: [{labels: {version: v1}}]\n"
                                                 "  match: {request: {headers: {x: a}}}\n" +
                                                     kToV2));
    EXPECT_EQ(candidates_at(conditional, "10.0.0.1:80"), (Keys{"default/high", "default/low"}));
    EXPECT_EQ(candidates_at(conditional, "10.0.0.3:80"), (Keys{"default/high#unselected", "default/low"}));
    const auto* stand_in = find_rule(conditional, "default/high#unselected");
    ASSERT_NE(stand_in, nullptr);
    EXPECT_TRUE(stand_in->mirrors.empty());
    EXPECT_EQ(stand_in->request, find_rule(conditional, "default/high")->request);
}

TEST(Compile, MirrorTakesTheServicePortAtItsOwnTargetPort) {
    const auto plan = plan_of(
        service("a", "app: a", "{name: http, port: 80, targetPort: 1080}, {name: tls, port: 443, targetPort: 1443}") +
        service("b", "app: b", "{name: http, port: 80, targetPort: 2080}") + pod("a", "app: a", "10.0.0.1") +
        pod("b", "app: b", "10.0.0.2") + other_rule("r", "name: a", "  mirror: {name: b}\n"));
    ASSERT_EQ(plan.origins.size(), 1u);
    EXPECT_EQ(plan.origins[0].endpoint.to_string(), "10.0.0.1:1080");
    EXPECT_EQ(plan.rules[0].mirrors.at(0).live_target(80)->endpoints.at(0).to_string(), "10.0.0.2:2080");
    EXPECT_EQ(plan.rules[0].mirrors.at(0).live_target(443), nullptr);
    EXPECT_EQ(plan.rules[0].mirrors.at(0).off_reason, "");
}

TEST(Compile, SaysWhyAMirrorIsOff) {
    const auto off = [](const std::string& mirror, const std::string& more = "") {
        const auto outcome = load_text(kHttpbin + more + rule("r", "  mirror: " + mirror + "\n"));
        EXPECT_TRUE(outcome.ok && outcome.plan.origins.empty()) << mirror;
        return outcome.plan.rules.at(0).mirrors.at(0).off_reason;
    };
    EXPECT_EQ(off("{name: gone}"), "no document describes the host 'gone.default.svc.cluster.local'");
    EXPECT_EQ(off("{name: httpbin, labels: {version: v9}}"),
              "'httpbin.default.svc.cluster.local' has no endpoint with the labels version=v9");
    EXPECT_EQ(off("{name: sleep}"), "'sleep.default.svc.cluster.local' has no endpoint at port 8080");
    EXPECT_EQ(off("{service: '*'}"), "'*' names no single service");
    EXPECT_EQ(off("{service: 10.0.0.0/8}"), "'10.0.0.0/8' names no single service");
    EXPECT_EQ(off("{name: ext}",
                  "---\napiVersion: v1\nkind: Service\nmetadata: {name: ext}\nspec: {type: ExternalName, externalName: "
                  "a.b}\n"),
              "'ext.default.svc.cluster.local' is an ExternalName service, which has no endpoints");
    EXPECT_EQ(off("{name: un}", service("un", "app: un", "{port: 8080}") +
                                    "---\napiVersion: v1\nkind: Pod\nmetadata: {name: un, labels: {app: un}}\nstatus: "
                                    "{podIP: 10.0.0.7, phase: Pending}\n"),
              "'un.default.svc.cluster.local' has no ready endpoint");
}

TEST(Compile, WarnsWhenNothingIsLeftToMirror) {
    const auto all = load_text(kHttpbin + rule("r", "  mirror: {name: httpbin}\n"));
    EXPECT_TRUE(all.plan.origins.empty());
    EXPECT_TRUE(
        has_finding(all.diagnostics, Severity::warning, "every endpoint of the route is also one of the mirror"));
    const auto labels = load_text(kHttpbin + rule("r", "  route: [{labels: {version: v7}}]\n" + kToV2));
    EXPECT_TRUE(has_finding(labels.diagnostics, Severity::warning, "has the entry's labels"));
    const auto domain = load_text(kHttpbin + other_rule("r", "name: httpbin, domain: cluster.local", kToV2));
    EXPECT_TRUE(has_finding(domain.diagnostics, Severity::warning, "the cluster's is svc.cluster.local"));
    const auto typo = load_text(kHttpbin + other_rule("r", "name: httpbinn", kToV2));
    EXPECT_TRUE(has_finding(typo.diagnostics, Severity::warning, "did you mean 'httpbin.default.svc.cluster.local'?"));
}

TEST(Compile, WildcardsAndBlocksAsDestination) {
    const auto registry = service("a", "app: a", "{port: 80}") + pod("a", "app: a", "10.0.0.1") +
                          service("b", "app: b", "{port: 80}") + "  clusterIP: 10.96.0.7\n" +
                          pod("b", "app: b", "10.0.1.1") + service("m", "app: m", "{port: 80}") +
                          pod("m", "app: m", "10.0.2.1");
    const auto origins = [&](const std::string& host) {
        Keys found;
        for (const auto& origin :
             plan_of(registry + other_rule("r", "service: '" + host + "'", "  mirror: {name: m}\n")).origins) {
            found.push_back(origin.endpoint.to_string());
        }
        return found;
    };
    EXPECT_EQ(origins("*"), (Keys{"10.0.0.1:80", "10.0.1.1:80"}));
    EXPECT_EQ(origins("*.default.svc.cluster.local"), (Keys{"10.0.0.1:80", "10.0.1.1:80"}));
    EXPECT_EQ(origins("*.other.svc.cluster.local"), Keys{});
    EXPECT_EQ(origins("a.default.svc.cluster.local"), Keys{"10.0.0.1:80"});
    EXPECT_EQ(origins("10.0.1.0/24"), Keys{"10.0.1.1:80"});
    EXPECT_EQ(origins("10.96.0.0/16"), Keys{"10.0.1.1:80"});
}

TEST(Compile, EntriesMaySendTheCallsOnToAnotherService) {
    const auto plan =
        plan_of(kHttpbin + service("other", "app: other", "{port: 8080}") + pod("o", "app: other", "10.0.3.1") +
                rule("r", "  route: [{destination: {name: other}}]\n" + kToV2));
    ASSERT_EQ(plan.origins.size(), 1u);
    EXPECT_EQ(plan.origins[0].endpoint.to_string(), "10.0.3.1:8080");
    EXPECT_EQ(plan.origins[0].service, "other.default.svc.cluster.local");
}

TEST(Compile, EndpointOfTwoServicesGoesToTheBestRule) {
    const auto text = kHttpbin + service("alias", "app: httpbin", "{port: 9090, targetPort: 80}") +
                      service("m", "app: m", "{port: 9090}") + pod("m", "app: m", "10.0.2.1") +
                      other_rule("by-alias", "name: alias", "  mirror: {name: m}\n");
    const auto outcome = load_text(text + rule("by-name", "  precedence: 1\n" + kToV2));
    EXPECT_EQ(candidates_at(outcome.plan, "10.0.0.1:80"), Keys{"default/by-name"});
    EXPECT_EQ(outcome.plan.find_origin(*Endpoint::parse("10.0.0.1:80"))->service_port, 8080);
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning,
                            "RouteRule default/by-alias does not apply at 10.0.0.1:80"));
    const auto alone = plan_of(text);
    EXPECT_EQ(alone.find_origin(*Endpoint::parse("10.0.0.1:80"))->service_port, 9090);
}

TEST(Compile, SourcesAreIntersected) {
    const auto text = kHttpbin + pod("sleep-2", "app: sleep", "10.9.0.1");
    const auto plan =
        plan_of(text + rule("r", "  match: {source: {name: sleep}, tcp: {sourceSubnet: [10.9.0.0/16]}}\n" + kToV2));
    EXPECT_EQ(print_sources(plan.rules[0]), "10.9.0.1/32");
    const auto none = plan_of(text + rule("r", "  match: {source: {name: sleep, labels: {a: b}}}\n" + kToV2));
    EXPECT_EQ(print_sources(none.rules[0]), "none");
    const auto block = plan_of(text + rule("r", "  match: {source: {service: 10.9.0.0/24}}\n" + kToV2));
    EXPECT_EQ(print_sources(block.rules[0]), "10.9.0.0/24");
    const auto any = plan_of(text + rule("r", "  match: {source: {service: '*'}}\n" + kToV2));
    EXPECT_EQ(print_sources(any.rules[0]), "any");
    const auto host = load_text(
        text +
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: h, labels: {app: sleep}}\nspec: {hostNetwork: true}\n"
        "status: {podIP: 192.0.2.1}\n" +
        rule("r", "  match: {source: {name: sleep}}\n" + kToV2));
    EXPECT_TRUE(has_finding(host.diagnostics, Severity::warning, "has its node's address"));
}

TEST(Compile, FindsDeadRulesBehindNarrowerOnes) {
    const std::tuple<const char*, const char*, bool> rows[] = {
        {"  match: {request: {headers: {uri: {prefix: /a}}}}\n",
         "  match: {request: {headers: {uri: {prefix: /ab}}}}\n", true},
        {"  match: {request: {headers: {uri: {prefix: /a}}}}\n", "  match: {request: {headers: {uri: /abc, x: b}}}\n",
         true},
        {"  match: {request: {headers: {uri: {prefix: /a}}}}\n",
         "  match: {request: {headers: {uri: {regex: /a.*}}}}\n", false},
        {"  match: {request: {headers: {x: a}}}\n", "  match: {request: {headers: {y: a}}}\n", false},
        {"  match: {tcp: {sourceSubnet: [10.0.0.0/8]}}\n", "  match: {source: {name: sleep}}\n", true},
        {"  match: {source: {name: sleep}}\n", "  match: {tcp: {sourceSubnet: [10.0.0.0/8]}}\n", false},
        {"  match: {tcp: {destinationSubnet: [10.0.0.0/8]}}\n", "  match: {tcp: {destinationSubnet: [10.1.0.0/16]}}\n",
         true},
        {"  match: {tcp: {destinationSubnet: [10.0.0.0/8]}}\n", "", false}};
    for (const auto& [high, low, dead] : rows) {
        const auto outcome = load_text(kHttpbin + rule("high", "  precedence: 1\n" + std::string(high) + kToV2) +
                                       rule("low", low + kToV2));
        EXPECT_EQ(has_finding(outcome.diagnostics, Severity::warning, "default/low never applies"), dead)
            << high << low;
    }
    const auto wild =
        load_text(kHttpbin + rule("low", kToV2) + other_rule("high", "service: '*'", "  precedence: 1\n"));
    EXPECT_TRUE(has_finding(wild.diagnostics, Severity::warning, "default/low never applies"));
}

TEST(Compile, WarnsOfRingsOfMirrors) {
    const auto registry = service("a", "app: a", "{port: 80}") + pod("a", "app: a", "10.0.0.1") +
                          service("b", "app: b", "{port: 80}") + pod("b", "app: b", "10.0.0.2");
    const auto chain = other_rule("ab", "name: a", "  mirror: {name: b}\n");
    EXPECT_FALSE(has_finding(load_text(registry + chain).diagnostics, Severity::warning, "ring"));
    const auto ring = load_text(registry + chain + other_rule("ba", "name: b", "  mirror: {name: a}\n"));
    EXPECT_TRUE(has_finding(ring.diagnostics, Severity::warning, "RouteRule default/ab is part of a ring"));
    EXPECT_TRUE(has_finding(ring.diagnostics, Severity::warning, "RouteRule default/ba is part of a ring"));
}

// Limits: candidates.
TEST(CompileLimits, Candidates) {
    const auto rules = [](int count) {
        std::string text = kHttpbin;
        for (int i = 0; i < count; ++i) {
            text += rule("r" + std::to_string(i),
                         "  match: {request: {headers: {x: v" + std::to_string(i) + "}}}\n" + kToV2);
        }
        return load_text(text);
    };
    EXPECT_TRUE(rules(UMBRA_MAX_CANDIDATES).ok);
    const auto crowded = rules(UMBRA_MAX_CANDIDATES + 1);
    EXPECT_FALSE(crowded.ok);
    EXPECT_TRUE(has_finding(crowded.diagnostics, Severity::error,
                            "RouteRule default/r8: more than 8 rules compete for the endpoint 10.0.0.1:80"));
    EXPECT_NE(crowded.diagnostics.at(0).line, 0u);
}

// Limits: rules.
TEST(CompileLimits, Rules) {
    std::string text;
    for (int i = 0; i < UMBRA_MAX_RULES; ++i)
        text += other_rule("r" + std::to_string(1000 + i), "name: s" + std::to_string(i), "");
    EXPECT_TRUE(load_text(text).ok);
    const auto more = load_text(text + other_rule("z", "name: z", ""));
    EXPECT_FALSE(more.ok);
    EXPECT_TRUE(has_finding(more.diagnostics, Severity::error, "RouteRule default/z: more than 256 rules"));
}

// Limits: endpoints, sources.
TEST(CompileLimits, EndpointsAndSources) {
    const auto registry = [](unsigned count) {
        std::string text;
        for (unsigned i = 0; i < count; ++i) {
            if (i % 16384 == 0) {
                text += "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e" +
                        std::to_string(i) +
                        "}\nspec:\n  hosts: [many.example.com]\n  ports: [{number: 80, name: http}]\n  endpoints:\n";
            }
            text += "  - {address: " + numbered_ip(i + 1) + "}\n";
        }
        return text + service("m", "app: m", "{port: 80}") + pod("m", "app: m", "192.0.2.1");
    };
    const auto many = other_rule("r", "service: many.example.com", "  mirror: {name: m}\n");
    const auto from_many = other_rule("s", "name: m", "  match: {source: {service: many.example.com}}\n");
    const auto at_limit = load_text(registry(UMBRA_MAX_ENDPOINTS - 1) + many + from_many);
    EXPECT_TRUE(at_limit.ok) << print_diagnostics(at_limit.diagnostics);
    EXPECT_EQ(at_limit.plan.origins.size(), UMBRA_MAX_ENDPOINTS - 1u);
    const auto above = load_text(registry(UMBRA_MAX_ENDPOINTS + 1) + many + from_many);
    EXPECT_FALSE(above.ok);
    EXPECT_TRUE(
        has_finding(above.diagnostics, Severity::error, "RouteRule default/r: more than 65536 origin endpoints"));
    EXPECT_TRUE(
        has_finding(above.diagnostics, Severity::error, "RouteRule default/s: more than 65536 source prefixes"));
}

}  // namespace
}  // namespace umbra::rules
