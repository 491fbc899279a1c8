// Objects of an API: decoded one by one, kept out one by one, the last valid version kept, other nodes' endpoints.
#include "rules/live_set.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "rules/service_demand.h"

namespace umbra::rules {
namespace {

using Json = nlohmann::ordered_json;

Json metadata(const std::string& name, int generation = 1) {
    return {{"name", name}, {"namespace", "default"}, {"generation", generation}};
}

Json route_rule(const std::string& name, Json spec, int generation = 1) {
    spec["destination"] = {{"name", "httpbin"}};
    return {{"apiVersion", "config.istio.io/v1alpha2"},
            {"kind", "RouteRule"},
            {"metadata", metadata(name, generation)},
            {"spec", spec}};
}

Json mirroring() { return {{"mirror", {{"name", "httpbin"}, {"labels", {{"version", "v2"}}}}}}; }

Json policy(const std::string& name, const std::string& rule) {
    return {{"apiVersion", "umbra.dev/v1alpha1"},
            {"kind", "MirrorPolicy"},
            {"metadata", metadata(name)},
            {"spec", {{"targetRef", {{"kind", "RouteRule"}, {"name", rule}}}, {"percent", 12.5}}}};
}

Json service() {
    return {{"apiVersion", "v1"},
            {"kind", "Service"},
            {"metadata", metadata("httpbin")},
            {"spec", {{"selector", {{"app", "httpbin"}}}, {"ports", {{{"name", "http"}, {"port", 8000}}}}}}};
}

Json pod(const std::string& name, const std::string& version, const std::string& node, const std::string& ip) {
    Json object{{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", metadata(name)}};
    object["metadata"]["labels"] = {{"app", "httpbin"}, {"version", version}};
    object["spec"] = {{"nodeName", node}};
    object["status"] = {{"phase", "Running"}, {"podIP", ip}};
    return object;
}

Json endpoint(const std::string& pod_name, const std::string& node, const std::string& ip) {
    return {{"addresses", {ip}},
            {"conditions", {{"ready", true}}},
            {"nodeName", node},
            {"targetRef", {{"kind", "Pod"}, {"name", pod_name}, {"namespace", "default"}}}};
}

Json slice(Json endpoints) {
    Json object{{"apiVersion", "discovery.k8s.io/v1"}, {"kind", "EndpointSlice"}, {"metadata", metadata("httpbin-x")}};
    object["metadata"]["labels"] = {{"kubernetes.io/service-name", "httpbin"}};
    object["addressType"] = "IPv4";
    object["endpoints"] = std::move(endpoints);
    object["ports"] = {{{"name", "http"}, {"port", 80}, {"protocol", "TCP"}}};
    return object;
}

LiveSet httpbin() {
    LiveSet set;
    set.put(service());
    set.put(pod("v1-a", "v1", "n1", "10.0.1.1"));
    set.put(pod("v1-b", "v1", "n2", "10.0.2.1"));
    set.put(pod("v2", "v2", "n2", "10.0.2.2"));
    set.put(slice(
        {endpoint("v1-a", "n1", "10.0.1.1"), endpoint("v1-b", "n2", "10.0.2.1"), endpoint("v2", "n2", "10.0.2.2")}));
    return set;
}

std::vector<std::string> origins(const Plan& plan) {
    std::vector<std::string> found;
    for (const auto& origin : plan.origins) found.push_back(origin.endpoint.to_string());
    return found;
}

TEST(LiveSet, CompilesWhatAnApiTells) {
    auto set = httpbin();
    set.put(route_rule("mirror", mirroring()));
    const auto outcome = set.compile({}, {});
    ASSERT_TRUE(outcome.errors.empty());
    EXPECT_EQ(origins(outcome.plan), (std::vector<std::string>{"10.0.1.1:80", "10.0.2.1:80"}));
    EXPECT_EQ(outcome.plan.rules.at(0).mirrors.at(0).live_target(8000)->endpoints.at(0).to_string(), "10.0.2.2:80");
    EXPECT_TRUE(outcome.states.at({"RouteRule", "default", "mirror"}).accepted());
}

TEST(LiveSet, LeavesOtherNodesEndpointsToTheirAgents) {
    auto set = httpbin();
    set.put(route_rule("mirror", mirroring()));
    CompileOptions options;
    options.node = "n1";
    EXPECT_EQ(origins(set.compile({}, options).plan), std::vector<std::string>{"10.0.1.1:80"});
    options.node = "n3";
    const auto none = set.compile({}, options);
    EXPECT_TRUE(none.plan.origins.empty());
    EXPECT_FALSE(none.plan.rules.at(0).mirrors.at(0).targets.at(0).endpoints.empty()) << "mirrors are on any node";
}

TEST(LiveSet, FindsARingOfMirrorsThatGoesOverOtherNodes) {
    auto set = httpbin();
    const auto from_to = [](const char* from, const char* to) {
        Json spec{{"route", {{{"labels", {{"version", from}}}}}},
                  {"mirror", {{"name", "httpbin"}, {"labels", {{"version", to}}}}},
                  {"match", {{"request", {{"headers", {{"x-from", {{"exact", from}}}}}}}}}};
        return spec;
    };
    set.put(route_rule("ab", from_to("v1", "v2")));
    set.put(route_rule("ba", from_to("v2", "v1")));
    const auto warnings = [&](const char* node) {
        CompileOptions options;
        options.node = node;
        std::size_t count = 0;
        for (const auto& [key, state] : set.compile({}, options).states)
            for (const auto& found : state.findings) count += found.message.find("part of a ring") != std::string::npos;
        return count;
    };
    EXPECT_GT(warnings(""), 0u);
    EXPECT_EQ(warnings("n1"), warnings("")) << "v2 is on another node";
}

TEST(LiveSet, KeepsAnInvalidObjectOutAndTheOthersIn) {
    auto set = httpbin();
    set.put(route_rule("good", mirroring()));
    set.put(route_rule("bad", {{"mirror", Json::object()}}, 3));
    const auto outcome = set.compile({}, {});
    EXPECT_TRUE(outcome.errors.empty());
    EXPECT_EQ(outcome.plan.rules.size(), 1u);
    const auto& bad = outcome.states.at({"RouteRule", "default", "bad"});
    EXPECT_FALSE(bad.valid);
    EXPECT_EQ(bad.generation, 3);
    ASSERT_FALSE(bad.findings.empty());
    EXPECT_EQ(bad.findings[0].file, "RouteRule default/bad");
    EXPECT_EQ(bad.findings[0].path, "spec.mirror");
}

TEST(LiveSet, KeepsTheLastValidVersionInForce) {
    auto set = httpbin();
    set.put(route_rule("mirror", mirroring(), 1));
    set.put(route_rule("mirror", {{"mirror", "nonsense"}}, 2));
    const auto outcome = set.compile({}, {});
    EXPECT_EQ(origins(outcome.plan).size(), 2u);
    EXPECT_FALSE(outcome.states.at({"RouteRule", "default", "mirror"}).accepted());
    set.put(route_rule("mirror", mirroring(), 3));
    EXPECT_TRUE(set.compile({}, {}).states.at({"RouteRule", "default", "mirror"}).accepted());
}

TEST(LiveSet, KeepsTheSecondOfTwoContradictingObjectsOut) {
    auto set = httpbin();
    set.put(route_rule("mirror", mirroring()));
    set.put(policy("a", "mirror"));
    set.put(policy("b", "mirror"));
    const auto outcome = set.compile({}, {});
    ASSERT_TRUE(outcome.errors.empty());
    EXPECT_TRUE(outcome.states.at({"MirrorPolicy", "default", "a"}).accepted());
    const auto& second = outcome.states.at({"MirrorPolicy", "default", "b"});
    EXPECT_TRUE(second.valid);
    EXPECT_TRUE(second.in_conflict);
    EXPECT_EQ(outcome.plan.rules.at(0).mirrors.at(0).percent, 12.5);
    set.erase({"MirrorPolicy", "default", "a"});
    EXPECT_TRUE(set.compile({}, {}).states.at({"MirrorPolicy", "default", "b"}).accepted());
}

TEST(LiveSet, SaysWhatARuleRefersToInVain) {
    LiveSet set;
    set.put(route_rule("mirror", mirroring()));
    const auto outcome = set.compile({}, {});
    const auto& state = outcome.states.at({"RouteRule", "default", "mirror"});
    EXPECT_TRUE(state.accepted());
    EXPECT_TRUE(std::any_of(state.findings.begin(), state.findings.end(), [](const auto& d) { return d.unresolved; }));
}

TEST(LiveSet, SweepErasesWhatWasNotToldAgain) {
    auto set = httpbin();
    set.put(route_rule("old", mirroring()));
    set.mark();
    set.put(service());
    set.put(route_rule("new", mirroring()));
    EXPECT_EQ(set.size(), 7u);
    set.sweep();
    EXPECT_EQ(set.size(), 2u);
    EXPECT_NE(set.documents().find({"RouteRule", "default", "new"}), nullptr);
    EXPECT_EQ(set.documents().find({"RouteRule", "default", "old"}), nullptr);
}

TEST(LiveSet, LocalObjectsReplaceThoseOfTheSet) {
    auto set = httpbin();
    set.put(route_rule("mirror", mirroring()));
    DocumentSet local;
    Diagnostics diagnostics;
    auto off = decode_api_object(route_rule("mirror", Json::object()), diagnostics);
    ASSERT_TRUE(off);
    local.put(std::move(*off));
    const auto outcome = set.compile(local, {});
    EXPECT_TRUE(outcome.plan.origins.empty());
    EXPECT_TRUE(outcome.plan.rules.at(0).mirrors.empty());
}

TEST(LiveSet, TakesNoNonsense) {
    LiveSet set;
    for (const char* text : {"{}", "[]", "1", R"({"kind":"Pod"})", R"({"kind":"Pod","metadata":5})",
                             R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}})"}) {
        set.put(Json::parse(text));
    }
    EXPECT_EQ(set.size(), 0u);
    set.put(Json::parse(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"status":{"podIP":"nonsense"}})"));
    EXPECT_TRUE(set.documents().objects().empty());
}

TEST(LiveSet, NullListsAreEmpty) {
    auto set = httpbin();
    auto empty = slice(nullptr);
    empty["ports"] = nullptr;
    set.put(empty);
    set.put(route_rule("mirror", mirroring()));
    EXPECT_TRUE(set.compile({}, {}).plan.origins.empty());
}

TEST(LiveSet, ReadsTheNodeOfAnOlderSlice) {
    LiveSet set = httpbin();
    Json old = slice({{{"addresses", {"10.0.1.1"}}, {"topology", {{"kubernetes.io/hostname", "n1"}}}}});
    old["apiVersion"] = "discovery.k8s.io/v1beta1";
    set.put(old);
    set.put(route_rule("mirror", {{"mirror", {{"name", "other"}}}}));
    LiveSet other = set;
    CompileOptions options;
    options.node = "n2";
    EXPECT_TRUE(other.compile({}, options).plan.origins.empty());
}

ServiceDemand demand(const std::vector<Json>& objects) {
    LiveSet set;
    for (const auto& object : objects) set.put(object);
    return demand_of(set.documents(), "cluster.local");
}

TEST(ServiceDemand, NamesTheNamespacesOfDestinationsAndMirrors) {
    Json spec{{"mirror", {{"name", "v2"}, {"namespace", "shadow"}, {"labels", {{"version", "v2"}}}}},
              {"match", {{"source", {{"name", "client"}, {"namespace", "front"}}}}}};
    const auto found = demand({route_rule("r", spec)});
    EXPECT_FALSE(found.everything);
    EXPECT_EQ(found.namespaces, (std::set<std::string>{"default", "front", "shadow"}));
    EXPECT_EQ(found.pod_namespaces, std::set<std::string>{"shadow"}) << "labels select only there";
}

TEST(ServiceDemand, WildcardsNeedEverythingAndOtherHostsNothing) {
    EXPECT_TRUE(demand({route_rule("r", {{"mirror", {{"service", "*.shadow.svc.cluster.local"}}}})}).everything);
    const auto outside = demand({route_rule("r", {{"mirror", {{"service", "v2.example.com"}}}})});
    EXPECT_FALSE(outside.everything);
    EXPECT_EQ(outside.namespaces, std::set<std::string>{"default"});
}

}  // namespace
}  // namespace umbra::rules
