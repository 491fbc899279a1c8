#include "metrics/agent_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/metrics/agent_json.h"

namespace umbra::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

Json parse(const char* text) { return Json::parse(text, nullptr, false); }

std::string of_ledger(const Json& ledger) {
    Families families;
    add_ledger(families, ledger);
    return exposition(std::move(families));
}
std::string of_status(const Json& status) {
    Families families;
    add_status(families, status);
    return exposition(std::move(families));
}

// name{labels} value, as a line of its own
testing::Matcher<const std::string&> HasSample(const std::string& sample) { return HasSubstr("\n" + sample + "\n"); }

TEST(LedgerMetrics, EveryFigureOfARealLedger) {
    const Json ledger = parse(kRealLedger);
    const std::string page = of_ledger(ledger);
    const std::string rule = R"({rule="default/mirror-traffic-to-httbin-v2"})";
    const Json& row = ledger["rules"][0];
    for (const char* unit : {"flows", "requests", "bytes"}) {
        const auto value = [&](const char* account) { return std::to_string(row[account][unit].get<std::int64_t>()); };
        EXPECT_THAT(page, HasSample("umbra_seen_" + std::string(unit) + "_total" + rule + " " + value("seen")));
        EXPECT_THAT(page, HasSample("umbra_mirrored_" + std::string(unit) + "_total" + rule + " " + value("mirrored")));
        EXPECT_THAT(page, HasSample("umbra_in_flight_" + std::string(unit) + rule + " " + value("in_flight")));
    }
    for (const char* unit : {"packets", "bytes"}) {
        const auto value = [&](const char* account) {
            return std::to_string(row["kernel"][account][unit].get<std::int64_t>());
        };
        EXPECT_THAT(page, HasSample("umbra_kernel_seen_" + std::string(unit) + "_total" + rule + " " + value("seen")));
        EXPECT_THAT(page,
                    HasSample("umbra_kernel_cloned_" + std::string(unit) + "_total" + rule + " " + value("cloned")));
    }
    EXPECT_THAT(page, HasSample("umbra_ledger_closes 1"));
    EXPECT_THAT(page, HasSample("umbra_capture_cloned_bytes_total " +
                                std::to_string(ledger["capture"]["cloned"].get<std::int64_t>())));
}

TEST(LedgerMetrics, LossesAreNamedByReasonInBothAccounts) {
    const std::string page = of_ledger(parse(R"({"closes": false, "rules": [{"rule": "a/b",
        "kernel": {"dropped": {"queue_full": {"packets": 3, "bytes": 4000}}},
        "dropped": {"gap": {"flows": 0, "requests": 2, "bytes": 77}}}]})"));
    EXPECT_THAT(page, HasSample(R"(umbra_dropped_requests_total{rule="a/b",reason="gap"} 2)"));
    EXPECT_THAT(page, HasSample(R"(umbra_dropped_bytes_total{rule="a/b",reason="gap"} 77)"));
    EXPECT_THAT(page, HasSample(R"(umbra_kernel_dropped_packets_total{rule="a/b",reason="queue_full"} 3)"));
    EXPECT_THAT(page, HasSample(R"(umbra_kernel_dropped_bytes_total{rule="a/b",reason="queue_full"} 4000)"));
    EXPECT_THAT(page, HasSample("umbra_ledger_closes 0"));
}

// A rule that was removed and came back has two rows of one name; equal samples would make the scrape invalid.
TEST(LedgerMetrics, RowsOfOneNameAreSummedUp) {
    const std::string page = of_ledger(parse(R"({"rules": [{"rule": "a/b", "seen": {"requests": 5}},
        {"rule": "a/b", "removed": true, "seen": {"requests": 7}}]})"));
    EXPECT_THAT(page, HasSample(R"(umbra_seen_requests_total{rule="a/b"} 12)"));
}

TEST(LedgerMetrics, BigCountersKeepEveryFigure) {
    const std::string page = of_ledger(parse(R"({"rules": [{"rule": "a/b", "seen": {"bytes": 9007199254740991}}]})"));
    EXPECT_THAT(page, HasSample(R"(umbra_seen_bytes_total{rule="a/b"} 9007199254740991)"));
}

TEST(LedgerMetrics, LabelsAreEscaped) {
    const std::string page = of_ledger(parse(R"({"rules": [{"rule": "a\"b\\c\nd", "seen": {"requests": 1}}]})"));
    EXPECT_THAT(page, HasSample(R"(umbra_seen_requests_total{rule="a\"b\\c\nd"} 1)"));
}

TEST(LedgerMetrics, WhatIsAbsentOrOfAnotherKindGivesNoSample) {
    for (const char* odd : {"null", "[]", "3", R"({"rules": 5})", R"({"rules": [3, null, {"rule": 4}]})",
                            R"({"rules": [{"seen": {"requests": 1}}]})", R"({"closes": "perhaps"})",
                            R"({"rules": [{"rule": "a/b", "seen": [1], "dropped": [2], "kernel": 3}]})"})
        EXPECT_EQ(of_ledger(parse(odd)).find("umbra_seen_requests_total"), std::string::npos) << odd;
    EXPECT_EQ(of_ledger(parse("null")), "");
}

TEST(StatusMetrics, EveryPartOfARealStatus) {
    const Json status = parse(kRealStatus);
    const std::string page = of_status(status);
    EXPECT_THAT(page, HasSubstr("umbra_build_info{version=\""));
    EXPECT_THAT(page, HasSubstr("umbra_agent_info{mode=\"strict\",hook=\""));
    EXPECT_THAT(page, HasSample("umbra_terminator_running 1"));
    EXPECT_THAT(page, HasSample("umbra_terminator_restarts_total 0"));
    EXPECT_THAT(page, HasSample("umbra_rules " + std::to_string(status["rules"].size())));
    EXPECT_THAT(page, HasSample("umbra_workers " + status["workers_count"].dump()));
    EXPECT_THAT(page, HasSample("umbra_plan_generation " + status["generation"].dump()));
    EXPECT_THAT(page, HasSubstr("umbra_attach_points{hook=\""));
    EXPECT_THAT(page, HasSubstr("umbra_process_resident_memory_bytes{role=\"terminator\"} "));
    EXPECT_THAT(page, HasSubstr("umbra_process_threads{role=\"loader\"} "));
    EXPECT_THAT(page, HasSubstr("umbra_rule_mirror_endpoints{rule=\"default/mirror-traffic-to-httbin-v2\"} "));
    EXPECT_THAT(page, HasSubstr("umbra_limit_info{limit=\"rules\",value=\""));
    EXPECT_THAT(page, Not(HasSubstr("umbra_kubernetes")));
}

// A counter that a worker gains must get a metric.
TEST(StatusMetrics, EveryFieldOfAWorkerHasAMetric) {
    const Json status = parse(kRealStatus);
    ASSERT_GT(status["workers"][0].size(), 10u);
    for (const auto& [name, value] : status["workers"][0].items()) {
        if (name == "worker") continue;
        Json row{{"worker", 3}};
        row[name] = 4242;
        Families families;
        add_status(families, Json{{"workers", Json::array({row})}});
        EXPECT_THAT(exposition(std::move(families)), HasSubstr("{worker=\"3\"} 4242\n")) << name;
    }
}

TEST(StatusMetrics, ATerminatorThatIsRestarted) {
    const std::string page = of_status(parse(R"({"terminator": "restarting", "restarts": 4})"));
    EXPECT_THAT(page, HasSample("umbra_terminator_running 0"));
    EXPECT_THAT(page, HasSample("umbra_terminator_restarts_total 4"));
}

TEST(StatusMetrics, Kubernetes) {
    const std::string page = of_status(parse(R"({"kubernetes": {"synced": true, "server": "https://10.0.0.1:443",
        "node": "n1", "is_leader": false, "requests": 12, "failures": 2, "resources": [
        {"resource": "pods", "scope": "node", "state": "watching", "objects": 30, "lists": 1, "watches": 4, "errors": 2},
        {"resource": "services", "scope": "default", "state": "listing", "objects": 0, "lists": 0, "watches": 0,
         "errors": 0}]}})"));
    EXPECT_THAT(page, HasSample("umbra_kubernetes_synced 1"));
    EXPECT_THAT(page, HasSample("umbra_kubernetes_leader 0"));
    EXPECT_THAT(page, HasSample(R"(umbra_kubernetes_info{server="https://10.0.0.1:443",node="n1"} 1)"));
    EXPECT_THAT(page, HasSample(R"(umbra_kubernetes_objects{resource="pods",scope="node"} 30)"));
    EXPECT_THAT(page, HasSample(R"(umbra_kubernetes_watches_total{resource="pods",scope="node"} 4)"));
    EXPECT_THAT(page, HasSample(R"(umbra_kubernetes_errors_total{resource="pods",scope="node"} 2)"));
    EXPECT_THAT(page,
                HasSample(R"(umbra_kubernetes_resource_state{resource="services",scope="default",state="listing"} 1)"));
    EXPECT_THAT(page, HasSample("umbra_kubernetes_requests_total 12"));
    EXPECT_THAT(page, HasSample("umbra_kubernetes_failed_requests_total 2"));
}

TEST(StatusMetrics, WhatIsClonedAndWhyNot) {
    const std::string page = of_status(parse(R"({"paused": {"by": "trip"}, "clone_share": 0, "trip": {"trips": [
        {"threshold": "cpu", "trips": 4}, {"threshold": "softnet", "trips": 0}]}})"));
    EXPECT_THAT(page, HasSample("umbra_paused 1"));
    EXPECT_THAT(page, HasSample("umbra_clone_share 0"));
    EXPECT_THAT(page, HasSample(R"(umbra_trips_total{threshold="cpu"} 4)"));
    EXPECT_THAT(page, HasSample(R"(umbra_trips_total{threshold="softnet"} 0)"));
    const std::string shed = of_status(parse(R"({"paused": null, "clone_share": 0.125})"));
    EXPECT_THAT(shed, HasSample("umbra_paused 0"));
    EXPECT_THAT(shed, HasSample("umbra_clone_share 0.125"));
    EXPECT_THAT(of_status(parse("{}")), Not(HasSubstr("umbra_paused"))) << "an agent that does not say";
}

}  // namespace
}  // namespace umbra::metrics
