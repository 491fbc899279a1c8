// Documents that the tests of this folder share, and short ways to load them.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "rules/load.h"

namespace umbra::rules {

// The rule of the mirroring post, as printed there.
inline const std::string kPostRule = R"(apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: mirror-traffic-to-httbin-v2
spec:
  destination:
    name: httpbin
  precedence: 11
  route:
  - labels:
      version: v1
    weight: 100
  - labels: 
      version: v2
    weight: 0
  mirror:
    name: httpbin
    labels:
      version: v2
)";

// The rule that the Mirroring task applies before it.
inline const std::string kDefaultRule = R"(apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: httpbin-default-v1
spec:
  destination:
    name: httpbin
  precedence: 5
  route:
  - labels:
      version: v1
)";

inline std::string pod(const std::string& name, const std::string& labels, const std::string& ip) {
    return "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\n  labels: {" + labels +
           "}\nstatus:\n  phase: Running\n  podIP: " + ip + "\n";
}

inline std::string service(const std::string& name, const std::string& selector, const std::string& ports) {
    return "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: " + name + "\nspec:\n  selector: {" + selector +
           "}\n  ports: [" + ports + "]\n";
}

// httpbin: one pod of each version behind one Service, and a client.
inline const std::string kHttpbin = service("httpbin", "app: httpbin", "{name: http, port: 8080, targetPort: 80}") +
                                    pod("httpbin-v1", "app: httpbin, version: v1", "10.0.0.1") +
                                    pod("httpbin-v2", "app: httpbin, version: v2", "10.0.0.2") +
                                    service("sleep", "app: sleep", "{name: http, port: 80}") +
                                    pod("sleep", "app: sleep", "10.0.0.9");

// A rule about httpbin that takes the rest of its spec as text, indented by two.
inline std::string rule(const std::string& name, const std::string& spec, const std::string& ns = "default") {
    return "---\napiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata:\n  name: " + name +
           "\n  namespace: " + ns + "\nspec:\n  destination: {name: httpbin}\n" + spec;
}

inline const std::string kToV2 = "  mirror: {name: httpbin, labels: {version: v2}}\n";

inline LoadOutcome load_text(const std::string& text, const std::string& name = "test.yaml") {
    return apply_sources({}, {{name, text}});
}

// The plan of documents that must load.
inline Plan plan_of(const std::string& text) {
    auto outcome = load_text(text);
    EXPECT_TRUE(outcome.ok) << print_diagnostics(outcome.diagnostics);
    return std::move(outcome.plan);
}

inline const PlanRule* find_rule(const Plan& plan, const std::string& key) {
    for (const auto& rule : plan.rules) {
        if (rule.key == key) return &rule;
    }
    return nullptr;
}

inline std::vector<std::string> candidates_at(const Plan& plan, const std::string& endpoint) {
    std::vector<std::string> keys;
    const auto* origin = plan.find_origin(*Endpoint::parse(endpoint));
    if (!origin) return keys;
    for (const auto index : origin->candidates) keys.push_back(plan.rules[index].key);
    return keys;
}

inline bool has_finding(const std::vector<Diagnostic>& diagnostics, Severity severity, const std::string& text) {
    for (const auto& diagnostic : diagnostics) {
        if (diagnostic.severity == severity && print_diagnostic(diagnostic).find(text) != std::string::npos)
            return true;
    }
    return false;
}

}  // namespace umbra::rules
