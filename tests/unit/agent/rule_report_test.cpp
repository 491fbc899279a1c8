// What the agent says of each rule of the cluster, and the feed's frames into the store.
#include "agent/rule_report.h"

#include <gtest/gtest.h>

#include "agent/back_off.h"

namespace umbra::agent {
namespace {

using kube::Json;

Json object(const char* api, const char* kind, const char* name, Json spec) {
    return {{"apiVersion", api},
            {"kind", kind},
            {"metadata", {{"name", name}, {"namespace", "default"}, {"generation", 4}}},
            {"spec", std::move(spec)}};
}

Json rule(const char* name, Json spec) {
    spec["destination"] = {{"name", "httpbin"}};
    return object("config.istio.io/v1alpha2", "RouteRule", name, std::move(spec));
}

Json mirror_to(const char* version) { return {{"mirror", {{"name", "httpbin"}, {"labels", {{"version", version}}}}}}; }

RuleStore store_with(const std::vector<Json>& objects, bool registry) {
    RuleStore store;
    if (registry) {
        store.live().put(object("v1", "Service", "httpbin",
                                {{"selector", {{"app", "httpbin"}}}, {"ports", {{{"name", "http"}, {"port", 80}}}}}));
        for (const char* version : {"v1", "v2"}) {
            Json pod = object("v1", "Pod", version, Json::object());
            pod["metadata"]["labels"] = {{"app", "httpbin"}, {"version", version}};
            pod["status"] = {{"phase", "Running"}, {"podIP", std::string("10.0.0.") + version[1]}};
            store.live().put(pod);
        }
    }
    for (const Json& added : objects) store.live().put(added);
    auto outcome = store.propose_live();
    EXPECT_TRUE(outcome.errors.empty());
    store.accept(std::move(outcome));
    return store;
}

const kube::RuleReport& only(const kube::Report& report) { return report.rules.at(0); }

TEST(RuleReport, OfARuleThatMirrors) {
    const auto report = rule_report(store_with({rule("r", mirror_to("v2"))}, true), "");
    const auto& entry = only(report);
    EXPECT_EQ(entry.generation, 4);
    EXPECT_TRUE(entry.accepted.holds && entry.resolved.holds && entry.programmed.holds);
    EXPECT_EQ(entry.programmed.reason, "Programmed");
    EXPECT_EQ(entry.origins, 1u);
    EXPECT_EQ(entry.mirror_endpoints, 1u);
}

TEST(RuleReport, OfServicesThatNobodyKnows) {
    const auto report = rule_report(store_with({rule("r", mirror_to("v2"))}, false), "");
    EXPECT_TRUE(only(report).accepted.holds);
    EXPECT_FALSE(only(report).resolved.holds);
    EXPECT_EQ(only(report).resolved.reason, "RefNotFound");
    EXPECT_NE(only(report).resolved.message.find("httpbin.default.svc.cluster.local"), std::string::npos);
    EXPECT_EQ(only(report).programmed.reason, "MirrorOff");
}

TEST(RuleReport, OfAMirrorWithoutEndpoints) {
    const auto report = rule_report(store_with({rule("r", mirror_to("v9"))}, true), "");
    EXPECT_TRUE(only(report).resolved.holds);
    EXPECT_FALSE(only(report).programmed.holds);
    EXPECT_EQ(only(report).programmed.reason, "MirrorOff");
}

TEST(RuleReport, OfAnInvalidRule) {
    const auto report = rule_report(store_with({rule("r", {{"mirror", 5}})}, true), "");
    EXPECT_FALSE(only(report).accepted.holds);
    EXPECT_EQ(only(report).accepted.reason, "Invalid");
    EXPECT_NE(only(report).accepted.message.find("spec.mirror"), std::string::npos);
    EXPECT_EQ(only(report).programmed.reason, "NotAccepted");
}

TEST(RuleReport, OfAPlanThatIsNotInForce) {
    const auto report = rule_report(store_with({rule("r", mirror_to("v2"))}, true), "no terminator");
    EXPECT_TRUE(only(report).accepted.holds);
    EXPECT_EQ(only(report).programmed, (kube::Verdict{false, "NotInForce", "no terminator"}));
}

TEST(RuleReport, OfAPolicyAsOfItsRule) {
    const auto with = [](const char* target) {
        return object("umbra.dev/v1alpha1", "MirrorPolicy", "p",
                      {{"targetRef", {{"kind", "RouteRule"}, {"name", target}}}, {"percent", 50}});
    };
    const auto attached = rule_report(store_with({rule("r", mirror_to("v2")), with("r")}, true), "");
    ASSERT_EQ(attached.rules.size(), 2u);
    EXPECT_EQ(attached.rules[0].object.kind, "MirrorPolicy");
    EXPECT_TRUE(attached.rules[0].programmed.holds);
    const auto lost = rule_report(store_with({rule("r", mirror_to("v2")), with("x")}, true), "");
    EXPECT_FALSE(lost.rules[0].resolved.holds);
    EXPECT_EQ(lost.rules[0].programmed.reason, "NoSuchRule");
}

TEST(Feed, MessagesSurviveTheWay) {
    const auto report = rule_report(store_with({rule("r", mirror_to("v2"))}, true), "");
    const auto again = kube::report_from(to_json(report));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, report);
    const kube::Demand demand{true, {"a", "b"}, {"b"}};
    EXPECT_EQ(*kube::demand_from(to_json(demand)), demand);
    kube::Changes changes;
    changes.reset = true;
    changes.objects.push_back(rule("r", {}));
    changes.deleted.push_back({"Pod", "default", "x"});
    const auto got = kube::changes_from(to_json(changes));
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->reset);
    EXPECT_FALSE(got->synced);
    EXPECT_EQ(got->objects, changes.objects);
    EXPECT_EQ(got->deleted, changes.deleted);
    EXPECT_FALSE(kube::changes_from(Json::parse(R"({"reset":1})")));
    EXPECT_FALSE(kube::changes_from(Json::parse(R"([])")));
    EXPECT_FALSE(kube::report_from(Json::parse(R"({"rules":[{"kind":"x"}]})")));
    EXPECT_FALSE(kube::demand_from(Json::parse(R"({"everything":true,"namespaces":[1],"pod_namespaces":[]})")));
}

TEST(BackOff, DoublesToItsLimitAndBeginsAnewAfterASteadyLife) {
    BackOff back_off;
    const auto start = BackOff::Clock::now();
    back_off.started(start);
    std::vector<long> pauses;
    for (int i = 0; i < 8; ++i) pauses.push_back(static_cast<long>(back_off.next(start).count()));
    EXPECT_EQ(pauses, (std::vector<long>{100, 200, 400, 800, 1600, 3200, 5000, 5000}));
    EXPECT_EQ(back_off.next(start + std::chrono::seconds(11)), BackOff::kFirst);
}

}  // namespace
}  // namespace umbra::agent
