#include <gtest/gtest.h>

#include "kube/node_lease_keeper.h"
#include "kube/status_book.h"
#include "kube/status_sum.h"
#include "kube/wall_time.h"

namespace umbra::kube {
namespace {

const ObjectName kRule{"RouteRule", "web", "r"};
constexpr double kWall = 1'800'000'000;

RuleReport rule_report(std::int64_t generation, bool programmed, std::uint32_t origins) {
    RuleReport rule;
    rule.object = kRule;
    rule.generation = generation;
    rule.accepted = {true, "Accepted", "valid"};
    rule.resolved = {true, "ResolvedRefs", "all services exist"};
    rule.programmed = {programmed, programmed ? "Programmed" : "KernelRefused", programmed ? "ok" : "no room"};
    rule.origins = origins;
    return rule;
}

Json condition_of(const Json& status, const std::string& type) {
    for (const Json& condition : list_at(status, {"conditions"})) {
        if (text_at(condition, {"type"}) == type) return condition;
    }
    return {};
}

NodeReport node(const std::string& name, const RuleReport& rule) { return {name, Report{{rule}}}; }

Json sum(const std::vector<NodeReport>& nodes, const Json& current = Json::object()) {
    std::vector<NodeVerdict> verdicts;
    for (const NodeReport& one : nodes) verdicts.push_back({one.node, &one.report.rules.front()});
    return sum_status(verdicts, current, "2026-01-01T00:00:00Z");
}

TEST(StatusSum, AllNodesProgrammed) {
    const Json status = sum({node("a", rule_report(3, true, 2)), node("b", rule_report(3, true, 1))});
    EXPECT_EQ(number_at(status, {"observedGeneration"}), 3);
    EXPECT_EQ(number_at(status, {"nodes", "programmed"}), 2);
    EXPECT_EQ(number_at(status, {"nodes", "total"}), 2);
    for (const char* type : {"Accepted", "ResolvedRefs", "Programmed"}) {
        const Json condition = condition_of(status, type);
        EXPECT_EQ(text_at(condition, {"status"}), "True") << type;
        EXPECT_EQ(number_at(condition, {"observedGeneration"}), 3);
        EXPECT_EQ(text_at(condition, {"lastTransitionTime"}), "2026-01-01T00:00:00Z");
    }
    EXPECT_EQ(text_at(condition_of(status, "Programmed"), {"message"}), "programmed on 2 of 2 nodes");
}

TEST(StatusSum, ANodeThatFailsIsNamed) {
    const Json status = sum({node("a", rule_report(3, true, 2)), node("b", rule_report(3, false, 1))});
    const Json programmed = condition_of(status, "Programmed");
    EXPECT_EQ(text_at(programmed, {"status"}), "False");
    EXPECT_EQ(text_at(programmed, {"reason"}), "KernelRefused");
    EXPECT_EQ(text_at(programmed, {"message"}), "1 of 2 nodes; node b: no room");
}

TEST(StatusSum, ANodeWithoutEndpointsFailsNothing) {
    const Json status = sum({node("a", rule_report(3, true, 2)), node("b", rule_report(3, false, 0))});
    EXPECT_EQ(text_at(condition_of(status, "Programmed"), {"status"}), "True");
    EXPECT_EQ(number_at(status, {"nodes", "programmed"}), 1);
    const Json none = sum({node("a", rule_report(3, false, 0))});
    EXPECT_EQ(text_at(condition_of(none, "Programmed"), {"status"}), "False");
    EXPECT_EQ(text_at(condition_of(none, "Programmed"), {"reason"}), "KernelRefused");
}

TEST(StatusSum, ANodeWithAnOlderGenerationIsPending) {
    const Json status = sum({node("a", rule_report(4, true, 2)), node("b", rule_report(3, true, 1))});
    EXPECT_EQ(number_at(status, {"observedGeneration"}), 4);
    EXPECT_EQ(number_at(status, {"nodes", "programmed"}), 1);
    EXPECT_EQ(text_at(condition_of(status, "Programmed"), {"reason"}), "Pending");
    EXPECT_EQ(text_at(condition_of(status, "Programmed"), {"message"}),
              "1 of 2 nodes; node b has not yet taken generation 4");
}

TEST(StatusSum, InvalidOnOneNodeIsNotAccepted) {
    RuleReport bad = rule_report(3, false, 0);
    bad.accepted = {false, "Invalid", "spec.route is wrong"};
    const Json status = sum({node("a", rule_report(3, true, 2)), node("b", bad)});
    EXPECT_EQ(text_at(condition_of(status, "Accepted"), {"reason"}), "Invalid");
    EXPECT_EQ(text_at(condition_of(status, "Accepted"), {"status"}), "False");
}

TEST(StatusSum, UnchangedIsNotWrittenAndTransitionTimesStay) {
    const std::vector<NodeReport> good{node("a", rule_report(3, true, 2))};
    const Json first = sum(good);
    EXPECT_TRUE(sum(good, first).is_null());
    Json current = first;
    for (Json& condition : current["conditions"]) condition["lastTransitionTime"] = "2025-01-01T00:00:00Z";
    current["conditions"].push_back({{"type", "Foreign"}, {"status", "True"}});
    EXPECT_TRUE(sum(good, current).is_null());
    const Json changed = sum({node("a", rule_report(3, false, 2))}, current);
    EXPECT_EQ(text_at(condition_of(changed, "Accepted"), {"lastTransitionTime"}), "2025-01-01T00:00:00Z");
    EXPECT_EQ(text_at(condition_of(changed, "Programmed"), {"lastTransitionTime"}), "2026-01-01T00:00:00Z");
    EXPECT_EQ(text_at(condition_of(changed, "Foreign"), {"status"}), "True");
    EXPECT_TRUE(sum({}, current).is_null());
}

TEST(StatusSum, AReasonIsNeverEmptyAndMessagesAreCut) {
    RuleReport rule = rule_report(1, false, 1);
    rule.accepted = {false, "", std::string(5000, 'x')};
    const Json accepted = condition_of(sum({node("a", rule)}), "Accepted");
    EXPECT_EQ(text_at(accepted, {"reason"}), "Unknown");
    EXPECT_EQ(text_at(accepted, {"message"}).size(), 1024u);
}

TEST(NodeReports, ALeaseThatIsNotRenewedStopsCounting) {
    const Report report{{rule_report(1, true, 1)}};
    NodeReports nodes;
    TimeNs now = 1000 * kSecond;
    nodes.put(node_lease("a", "ns", report, kWall), now, kWall);
    ASSERT_EQ(nodes.fresh(now).size(), 1u);
    EXPECT_EQ(nodes.fresh(now)[0].node, "a");
    EXPECT_EQ(nodes.fresh(now)[0].report, report);
    EXPECT_EQ(nodes.stale_at(now), now + kNodeStale + 1);
    nodes.put(node_lease("a", "ns", report, kWall), now + 50 * kSecond, kWall + 50);
    EXPECT_TRUE(nodes.fresh(now + 61 * kSecond).empty()) << "the lease came again but was not renewed";
    nodes.put(node_lease("a", "ns", report, kWall + 62), now + 62 * kSecond, kWall + 62);
    EXPECT_EQ(nodes.fresh(now + 100 * kSecond).size(), 1u);
}

TEST(NodeReports, OldLeasesOfLostNodesAndOtherLeasesDoNotCount) {
    NodeReports nodes;
    nodes.put(node_lease("old", "ns", {}, kWall - 3600), kSecond, kWall);
    Json foreign = node_lease("b", "ns", {}, kWall);
    foreign["metadata"]["name"] = "something";
    nodes.put(foreign, kSecond, kWall);
    Json broken = node_lease("c", "ns", {}, kWall);
    broken["metadata"]["annotations"][kReportAnnotation] = "{";
    nodes.put(broken, kSecond, kWall);
    ASSERT_EQ(nodes.fresh(kSecond).size(), 1u);
    EXPECT_TRUE(nodes.fresh(kSecond)[0].report.rules.empty());
    EXPECT_FALSE(nodes.complete());
    nodes.list_begins();
    nodes.list_ends();
    EXPECT_TRUE(nodes.complete());
    EXPECT_TRUE(nodes.fresh(kSecond).empty());
    nodes.clear();
    EXPECT_FALSE(nodes.complete());
}

// Limits: node_report.
TEST(NodeLease, ALongReportIsShortenedToWhatAnAnnotationTakes) {
    Report report;
    for (int i = 0; i < 2000; ++i) {
        report.rules.push_back(rule_report(1, true, 1));
        report.rules.back().object.name = "rule-" + std::to_string(i);
    }
    const std::string text = report_text(report);
    EXPECT_LE(text.size(), kMaxAnnotation);
    const auto read = report_from(Json::parse(text));
    ASSERT_TRUE(read);
    EXPECT_GT(read->rules.size(), 300u);
    EXPECT_EQ(read->rules[5].object.name, "rule-5");
}

ApiAnswer http(long status, const Json& body = Json::object()) {
    ApiAnswer answer;
    answer.status = status;
    answer.body = body.dump();
    return answer;
}

TEST(NodeLeaseKeeper, PatchesCreatesAndRenews) {
    NodeLeaseKeeper keeper("a", "ns", {});
    TimeNs now = 100 * kSecond;
    auto step = keeper.due(now, kWall);
    ASSERT_TRUE(step);
    EXPECT_EQ(step->method, "PATCH");
    EXPECT_FALSE(step->lease.contains("kind"));
    EXPECT_EQ(text_at(step->lease, {"metadata", "labels", kRoleLabel}), "node");
    EXPECT_FALSE(keeper.due(now, kWall));
    keeper.answered(http(404), now);
    step = keeper.due(now, kWall);
    ASSERT_TRUE(step);
    EXPECT_EQ(step->method, "POST");
    EXPECT_EQ(text_at(step->lease, {"metadata", "name"}), "umbra-node-a");
    keeper.answered(http(201), now);
    EXPECT_EQ(keeper.wake_at(), now + 15 * kSecond);
    EXPECT_EQ(keeper.message(), "");
}

TEST(NodeLeaseKeeper, AChangedReportGoesOutSoonAndAnUnchangedOneDoesNot) {
    NodeLeaseKeeper keeper("a", "ns", {});
    TimeNs now = 100 * kSecond;
    keeper.due(now, kWall);
    keeper.answered(http(200), now);
    keeper.report({}, now);
    EXPECT_EQ(keeper.wake_at(), now + 15 * kSecond);
    keeper.report({{rule_report(1, true, 1)}}, now);
    keeper.report({{rule_report(2, true, 1)}}, now + 100 * kMillisecond);
    EXPECT_EQ(keeper.wake_at(), now + 500 * kMillisecond);
    now += 500 * kMillisecond;
    const auto step = keeper.due(now, kWall);
    ASSERT_TRUE(step);
    EXPECT_NE(text_at(step->lease, {"metadata", "annotations", kReportAnnotation}).find("\"generation\":2"),
              std::string::npos);
    keeper.report({{rule_report(3, true, 1)}}, now);
    keeper.answered(http(200), now);
    EXPECT_EQ(keeper.wake_at(), now + 500 * kMillisecond);
}

TEST(NodeLeaseKeeper, ForbiddenIsSaidAndTriedAgainSlowly) {
    NodeLeaseKeeper keeper("a", "ns", {});
    TimeNs now = 100 * kSecond;
    keeper.due(now, kWall);
    keeper.answered(http(403, {{"message", "no"}}), now);
    EXPECT_EQ(keeper.message(), "patch, lease umbra-node-a in ns: HTTP 403: no");
    keeper.report({{rule_report(1, true, 1)}}, now);
    EXPECT_EQ(keeper.wake_at(), now + 30 * kSecond) << "a changed report does not hurry what is refused";
    keeper.due(now + 30 * kSecond, kWall);
    keeper.answered(http(409), now + 30 * kSecond);
    EXPECT_EQ(keeper.wake_at(), now + 35 * kSecond);
}

Json rule_object(const Json& status = Json::object()) {
    return {{"metadata", {{"name", "r"}, {"namespace", "web"}}}, {"status", status}};
}

TEST(StatusBook, WritesADifferenceOnceAndLearnsFromTheAnswer) {
    StatusBook book;
    const std::vector<NodeReport> nodes{node("a", rule_report(1, true, 1))};
    EXPECT_TRUE(book.due(nodes, 4, kSecond, kWall).empty()) << "an object that is not there is not written";
    book.put(kRouteRules, 0, rule_object());
    EXPECT_TRUE(book.changed());
    auto writes = book.due(nodes, 4, kSecond, kWall);
    ASSERT_EQ(writes.size(), 1u);
    EXPECT_EQ(writes[0].path, "/apis/config.istio.io/v1alpha2/namespaces/web/routerules/r/status");
    EXPECT_TRUE(book.due(nodes, 4, kSecond, kWall).empty()) << "it is under way";
    const Json patch = Json::parse(writes[0].patch);
    EXPECT_FALSE(book.written(kRule, http(200, rule_object(patch["status"])), kSecond).failed());
    EXPECT_TRUE(book.due(nodes, 4, kSecond, kWall + 100).empty());
    book.put(kRouteRules, 0, rule_object());
    EXPECT_EQ(book.due(nodes, 4, kSecond, kWall).size(), 1u) << "somebody took the status away";
}

TEST(StatusBook, FailedWritesAreSaidAndHeldBack) {
    const std::pair<long, TimeNs> rows[] = {
        {404, 60 * kSecond}, {403, 30 * kSecond}, {409, 5 * kSecond}, {500, 5 * kSecond}};
    for (const auto& [status, pause] : rows) {
        StatusBook book;
        const std::vector<NodeReport> nodes{node("a", rule_report(1, true, 1))};
        book.put(kRouteRules, 0, rule_object());
        ASSERT_EQ(book.due(nodes, 4, kSecond, kWall).size(), 1u);
        const auto outcome = book.written(kRule, http(status), kSecond);
        EXPECT_NE(outcome.message.find("patch, status of RouteRule web/r: "), std::string::npos) << outcome.message;
        EXPECT_TRUE(book.due(nodes, 4, kSecond + pause - 1, kWall).empty()) << status;
        EXPECT_EQ(book.retry_at(), kSecond + pause);
        EXPECT_EQ(book.due(nodes, 4, kSecond + pause, kWall).size(), 1u) << status;
    }
}

TEST(StatusBook, ObjectsThatWentAreNotWritten) {
    StatusBook book;
    const std::vector<NodeReport> nodes{node("a", rule_report(1, true, 1))};
    book.put(kRouteRules, 0, rule_object());
    book.removed(kRouteRules, rule_object());
    EXPECT_TRUE(book.due(nodes, 4, kSecond, kWall).empty());
    book.put(kRouteRules, 0, rule_object());
    book.list_begins(kRouteRules);
    book.list_ends(kRouteRules);
    EXPECT_TRUE(book.due(nodes, 4, kSecond, kWall).empty());
}

TEST(StatusBook, AtMostSoManyWritesAtOnce) {
    StatusBook book;
    NodeReport many{"a", {}};
    for (const char* name : {"x", "y", "z"}) {
        Json object = rule_object();
        object["metadata"]["name"] = name;
        book.put(kRouteRules, 0, object);
        many.report.rules.push_back(rule_report(1, true, 1));
        many.report.rules.back().object.name = name;
    }
    EXPECT_EQ(book.due({many}, 2, kSecond, kWall).size(), 2u);
    EXPECT_TRUE(book.changed());
    EXPECT_EQ(book.due({many}, 2, kSecond, kWall).size(), 1u);
}

TEST(WallTime, BothFormsAndBack) {
    EXPECT_EQ(rfc3339(kWall), "2027-01-15T08:00:00Z");
    EXPECT_EQ(rfc3339_micro(kWall + 0.25), "2027-01-15T08:00:00.250000Z");
    EXPECT_EQ(parse_rfc3339("2027-01-15T08:00:00Z").value_or(0), kWall);
    EXPECT_EQ(parse_rfc3339("2027-01-15T08:00:00.250000Z").value_or(0), kWall + 0.25);
    for (const char* bad : {"", "yesterday", "2027-01-15", "2027-01-15T08:00:00+01:00"})
        EXPECT_FALSE(parse_rfc3339(bad));
}

}  // namespace
}  // namespace umbra::kube
