// Loading, the set of documents, what is listed of it, and files.
#include "rules/load.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "documents.h"
#include "rules/listing.h"

namespace umbra::rules {
namespace {

namespace fs = std::filesystem;

LoadOutcome apply_text(const DocumentSet& base, const std::string& text) {
    return apply_sources(base, {{"more.yaml", text}});
}

TEST(Load, IsAllOrNothing) {
    const auto base = load_text(kPostRule + kHttpbin);
    const auto bad = apply_text(base.set, rule("good", kToV2) + rule("bad", "  mirror: {}\n"));
    EXPECT_FALSE(bad.ok);
    EXPECT_EQ(bad.set.objects().size(), base.set.objects().size());
    EXPECT_EQ(bad.set.find_rule("good"), nullptr);
    EXPECT_TRUE(bad.plan.rules.empty());
}

TEST(Load, ReplacesObjectsOfTheSameKey) {
    const auto base = load_text(kPostRule + kHttpbin);
    const auto moved = apply_text(base.set, pod("httpbin-v2", "app: httpbin, version: v2", "10.0.0.22"));
    ASSERT_TRUE(moved.ok);
    EXPECT_EQ(moved.set.objects().size(), base.set.objects().size());
    EXPECT_EQ(moved.plan.rules[0].mirrors.at(0).live_target(8080)->endpoints.at(0).to_string(), "10.0.0.22:80");
}

TEST(Load, RefusesTwoDifferentObjectsOfOneKey) {
    const auto twice = load_text(kHttpbin + rule("r", kToV2) + rule("r", "  precedence: 1\n"));
    EXPECT_FALSE(twice.ok);
    EXPECT_TRUE(
        has_finding(twice.diagnostics, Severity::error, "RouteRule default/r: defined twice, first at test.yaml:"));
    EXPECT_TRUE(load_text(kHttpbin + rule("r", kToV2) + rule("r", kToV2)).ok);
}

// Limits: object_bytes.
TEST(Load, RefusesAnObjectAboveTheLimit) {
    const auto big = rule("r", kToV2) + "# " + std::string(kMaxObjectBytes, 'x') + "\n";
    EXPECT_TRUE(has_finding(load_text(big).diagnostics, Severity::error, "the object is larger than 1048576 bytes"));
}

TEST(Load, NamesWhatItDoesNotTake) {
    const auto outcome = load_text(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a, namespace: b}\n"
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n"
        "---\napiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: k}\n"
        "---\napiVersion: config.istio.io/v1alpha2\nkind: EgressRule\nmetadata: {name: e}\n");
    EXPECT_TRUE(outcome.ok);
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning,
                            "VirtualService b/a: kind not supported yet by this version"));
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::note, "Deployment default/d: does not concern mirroring"));
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::note, "Service default/k: does not concern mirroring"));
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning, "EgressRule default/e: kind not supported yet"));
    EXPECT_TRUE(has_finding(
        load_text("apiVersion: config.istio.io/v1alpha2\nkind: Routerule\nmetadata: {name: a}\n").diagnostics,
        Severity::error, "did you mean 'RouteRule'?"));
}

TEST(Load, RemovesRulesByName) {
    const auto base = load_text(kHttpbin + rule("r", kToV2) + rule("r", kToV2, "shop") + rule("s", "", "shop"));
    ASSERT_TRUE(base.ok) << print_diagnostics(base.diagnostics);
    EXPECT_NE(remove_rule(base.set, "shop/r").set.find_rule("default/r"), nullptr);
    EXPECT_EQ(remove_rule(base.set, "shop/r").set.find_rule("shop/r"), nullptr);
    EXPECT_EQ(remove_rule(base.set, "r").set.find_rule("default/r"), nullptr);
    EXPECT_TRUE(remove_rule(base.set, "s").ok);
    const auto unknown = remove_rule(base.set, "ss");
    EXPECT_FALSE(unknown.ok);
    EXPECT_EQ(print_diagnostics(unknown.diagnostics), "error: no rule 'ss'\n  hint: did you mean 's'?\n");
    EXPECT_EQ(unknown.set.objects().size(), base.set.objects().size());
}

TEST(Load, KeepsSourceTextForPrintingBack) {
    const auto base = load_text(
        kPostRule + "---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n");
    EXPECT_EQ(base.set.find_rule("mirror-traffic-to-httbin-v2")->text, kPostRule);
    const auto* from_list = base.set.find({"Pod", "default", "a"});
    ASSERT_NE(from_list, nullptr);
    EXPECT_EQ(from_list->text, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n");
    const auto again = load_text(from_list->text);
    EXPECT_TRUE(again.ok && again.set.find({"Pod", "default", "a"}));
}

TEST(Load, IsQuickForALargeRegistry) {
    std::string text = kPostRule + service("httpbin", "app: httpbin", "{port: 8080}");
    for (int i = 0; i < 2000; ++i) {
        text += pod("p" + std::to_string(i), "app: httpbin, version: v1",
                    "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1));
    }
    const auto plan = plan_of(text + pod("v2", "app: httpbin, version: v2", "10.2.0.1"));
    EXPECT_EQ(plan.origins.size(), 2000u);
}

TEST(Listing, ShowsRulesAndEndpoints) {
    const auto plan =
        plan_of(kDefaultRule + "---\n" + kPostRule + kHttpbin +
                rule("lost", "  precedence: 30\n  match: {request: {headers: {x: a}}}\n  mirror: {name: gone}\n"));
    const auto rules = list_rules(plan);
    ASSERT_EQ(rules.size(), 3u);
    EXPECT_EQ(rules[0].status, "mirror off: no document describes the host 'gone.default.svc.cluster.local'");
    EXPECT_EQ(rules[1].status, "mirroring");
    EXPECT_EQ(rules[1].origins, 1u);
    EXPECT_EQ(rules[1].mirror_endpoints, 1u);
    EXPECT_EQ(rules[1].mirror, "httpbin.default.svc.cluster.local version=v2");
    EXPECT_EQ(rules[2].status, "no mirror");
    EXPECT_EQ(list_rules(plan, "lost").size(), 1u);
    EXPECT_EQ(list_rules(plan, "default/lost").size(), 1u);
    EXPECT_EQ(list_rules(plan, "other/lost").size(), 0u);
    const auto endpoints = list_endpoints(plan);
    ASSERT_EQ(endpoints.size(), 2u);
    EXPECT_EQ(endpoints[0].role + " " + endpoints[0].endpoint.to_string(), "origin 10.0.0.1:80");
    EXPECT_EQ(endpoints[1].role + " " + endpoints[1].endpoint.to_string(), "mirror 10.0.0.2:80");
    EXPECT_EQ(list_endpoints(plan, "httpbin").size(), 2u);
    EXPECT_EQ(list_endpoints(plan, "10.0.0.2").size(), 1u);
    EXPECT_EQ(list_endpoints(plan, "lost").size(), 1u);
    EXPECT_EQ(list_endpoints(plan, "nothing").size(), 0u);
}

TEST(Listing, DescribesChanges) {
    const auto base = load_text(kPostRule + kHttpbin);
    auto changed_rule = kPostRule;
    changed_rule.replace(changed_rule.find("precedence: 11"), 14, "precedence: 12");
    const auto after = apply_text(base.set, changed_rule + pod("new", "app: x", "10.0.0.50"));
    const auto text = describe_change(base.set, base.plan, after.set, after.plan);
    EXPECT_NE(text.find("changed    RouteRule default/mirror-traffic-to-httbin-v2\n"), std::string::npos) << text;
    EXPECT_NE(text.find("-  precedence: 11\n+  precedence: 12\n"), std::string::npos) << text;
    EXPECT_NE(text.find("added      Pod default/new\n"), std::string::npos) << text;
    EXPECT_NE(text.find("unchanged  5 objects\n"), std::string::npos) << text;
    EXPECT_NE(text.find("plan       changed\n"), std::string::npos) << text;
    EXPECT_EQ(describe_change(base.set, base.plan, base.set, base.plan),
              "unchanged  6 objects\nplan       unchanged\n");
    const auto removed = remove_rule(base.set, "mirror-traffic-to-httbin-v2");
    EXPECT_NE(describe_change(base.set, base.plan, removed.set, removed.plan).find("removed    RouteRule"),
              std::string::npos);
}

class Files : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/umbra-rules-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder_ = name;
        fs::create_directories(folder_ / "sub/deep");
    }
    void TearDown() override { fs::remove_all(folder_); }
    void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
    std::string path(const std::string& name = "") { return (folder_ / name).string(); }

    fs::path folder_;
};

TEST_F(Files, FoldersAreReadWhole) {
    write("b.yaml", kPostRule);
    write("sub/deep/a.yml", kHttpbin);
    write("sub/c.json", R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "j"}})");
    write("readme.txt", "not: [yaml");
    fs::create_symlink(folder_, folder_ / "sub/loop");
    const auto outcome = load_paths({path(), path("b.yaml")});
    ASSERT_TRUE(outcome.ok) << print_diagnostics(outcome.diagnostics);
    EXPECT_EQ(outcome.plan.origins.size(), 1u);
    EXPECT_NE(outcome.set.find({"Pod", "default", "j"}), nullptr);
}

TEST_F(Files, WhatCannotBeReadIsReported) {
    const auto missing = load_paths({path("none.yaml")});
    EXPECT_EQ(print_diagnostics(missing.diagnostics),
              path("none.yaml") + ": error: reading failed: No such file or directory\n");
    const auto empty = load_paths({path("sub")});
    EXPECT_TRUE(empty.ok && has_finding(empty.diagnostics, Severity::warning, "the folder has no *.yaml"));
    EXPECT_FALSE(load_paths({"/dev/zero"}).ok);
}

TEST_F(Files, MessagesNameTheFile) {
    write("bad.yaml", "kind: RouteRule\n");
    EXPECT_TRUE(has_finding(load_paths({path()}).diagnostics, Severity::error,
                            path("bad.yaml") + ":1:1: error: apiVersion: is required"));
}

}  // namespace
}  // namespace umbra::rules
