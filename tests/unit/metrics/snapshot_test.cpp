#include "metrics/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::metrics {
namespace {

using control::Json;
using testing::HasSubstr;

Answers answered(Json status) { return {std::move(status), {{"closes", true}}, "", 0.25}; }

TEST(Snapshot, AnAgentThatAnswersIsHealthyAndWithRulesInForceReady) {
    const auto snapshot = make_snapshot(answered({{"terminator", "running"}}), {.times = 3, .failures = 1});
    EXPECT_TRUE(snapshot->health.good);
    EXPECT_TRUE(snapshot->readiness.good);
    EXPECT_THAT(snapshot->exposition, HasSubstr("\numbra_up 1\n"));
    EXPECT_THAT(snapshot->exposition, HasSubstr("\numbra_exporter_asked_total 3\n"));
    EXPECT_THAT(snapshot->exposition, HasSubstr("\numbra_exporter_failures_total 1\n"));
    EXPECT_THAT(snapshot->exposition, HasSubstr("\numbra_exporter_answer_seconds 0.25\n"));
    EXPECT_THAT(snapshot->exposition, HasSubstr("\numbra_ledger_closes 1\n"));
}

TEST(Snapshot, AnAgentThatDoesNotAnswerIsNeither) {
    const auto snapshot = make_snapshot({{}, {}, "connect, agent: refused", 0}, {.times = 1, .failures = 1});
    EXPECT_FALSE(snapshot->health.good);
    EXPECT_EQ(snapshot->health.reason, "connect, agent: refused");
    EXPECT_FALSE(snapshot->readiness.good);
    EXPECT_EQ(snapshot->readiness.reason, "connect, agent: refused");
    EXPECT_THAT(snapshot->exposition, HasSubstr("\numbra_up 0\n"));
}

TEST(Snapshot, WithoutATerminatorTheAgentIsHealthyButNotReady) {
    const Answers answers = answered({{"terminator", "restarting"}});
    EXPECT_TRUE(judge_health(answers).good);
    EXPECT_FALSE(judge_readiness(answers).good);
    EXPECT_THAT(judge_readiness(answers).reason, HasSubstr("restarting"));
    EXPECT_FALSE(judge_readiness(answered(Json::object())).good);
}

TEST(Snapshot, PausedItIsReadyAndSaysSo) {
    const auto probe = judge_readiness(answered({{"terminator", "running"}, {"paused", {{"by", "uid 0"}}}}));
    EXPECT_TRUE(probe.good);
    EXPECT_THAT(probe.reason, HasSubstr("paused by uid 0"));
    EXPECT_THAT(judge_readiness(answered({{"terminator", "running"}, {"paused", nullptr}})).reason,
                HasSubstr("in force"));
}

TEST(Snapshot, FedByKubernetesItIsReadyOnceSynced) {
    const auto ready = [](Json kubernetes) {
        return judge_readiness(answered({{"terminator", "running"}, {"kubernetes", std::move(kubernetes)}}));
    };
    EXPECT_TRUE(ready({{"synced", true}}).good);
    EXPECT_TRUE(ready(nullptr).good);
    EXPECT_FALSE(ready({{"synced", false}}).good);
    EXPECT_FALSE(ready(Json::object()).good);
    EXPECT_THAT(ready({{"synced", false}}).reason, HasSubstr("Kubernetes"));
}

}  // namespace
}  // namespace umbra::metrics
