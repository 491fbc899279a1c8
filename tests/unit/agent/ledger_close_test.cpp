#include "agent/ledger_close.h"

#include <gtest/gtest.h>

#include "agent/report.h"
#include "base/ledger.h"

namespace umbra::agent {
namespace {

LedgerReading exact_reading() {
    LedgerReading reading;
    RuleReading rule;
    rule.rule = "default/mirror";
    rule.kernel.seen = {100, 5000};
    rule.kernel.cloned = {90, 4500};
    rule.kernel.dropped.unsampled = {6, 300};
    rule.kernel.dropped.queue_full = {4, 200};
    rule.kernel.dropped.ring_full = {7, 70};
    rule.row.seen = {10, 40, 4500};
    rule.row.mirrored = {8, 37, 4000};
    rule.row.in_flight = {1, 1, 300};
    dropped_units(rule.row, Reason::connect_refused) = {1, 2, 150};
    dropped_units(rule.row, Reason::duplicate) = {0, 0, 50};
    reading.rules.push_back(rule);
    reading.captured = 4498;
    reading.queue_capacity = 8;
    return reading;
}

TEST(CloseLedger, AnEmptyLedgerCloses) {
    const auto verdict = close_ledger({});
    EXPECT_TRUE(verdict.closes);
    EXPECT_EQ(verdict.in_queue, 0);
}

TEST(CloseLedger, BalancedCountersCloseAndLostServerHeadersDoNotMatter) {
    const auto verdict = close_ledger(exact_reading());
    EXPECT_TRUE(verdict.closes) << testing::PrintToString(verdict.imbalances);
    EXPECT_EQ(verdict.cloned, 4500u);
    EXPECT_EQ(verdict.in_queue, 2);
}

TEST(CloseLedger, EachUnitOfEachSideMustBalance) {
    for (const auto unit : {&umbra_units::flows, &umbra_units::requests, &umbra_units::bytes}) {
        for (auto part : {&umbra_ledger_row::seen, &umbra_ledger_row::mirrored, &umbra_ledger_row::in_flight}) {
            auto reading = exact_reading();
            (reading.rules[0].row.*part).*unit += 1;
            EXPECT_FALSE(close_ledger(reading).closes);
            EXPECT_FALSE(balanced(reading.rules[0].row));
        }
        auto reading = exact_reading();
        dropped_units(reading.rules[0].row, Reason::injected).*unit += 1;
        EXPECT_FALSE(close_ledger(reading).closes) << "the last reason counts as well";
    }
    for (const auto unit : {&umbra_count::packets, &umbra_count::bytes}) {
        auto reading = exact_reading();
        reading.rules[0].kernel.seen.*unit += 1;
        EXPECT_FALSE(close_ledger(reading).closes);
        EXPECT_FALSE(balanced(reading.rules[0].kernel));
        reading.rules[0].kernel.dropped.malformed.*unit += 1;
        EXPECT_TRUE(close_ledger(reading).closes);
    }
}

TEST(CloseLedger, TheQueuesHoldWhatIsBetweenKernelAndWorkersAndNoMore) {
    auto reading = exact_reading();
    reading.captured = 4492;
    EXPECT_TRUE(close_ledger(reading).closes);
    reading.captured = 4491;
    EXPECT_FALSE(close_ledger(reading).closes) << "nine bytes do not fit in queues of eight";
    reading.captured = 4501;
    EXPECT_FALSE(close_ledger(reading).closes) << "captured what nobody cloned";
    EXPECT_EQ(close_ledger(reading).in_queue, -1);
}

TEST(CloseLedger, WhatNoResultReportedIsNotInTheQueues) {
    auto reading = exact_reading();
    reading.captured = 4400;
    reading.unreported = 98;
    EXPECT_TRUE(close_ledger(reading).closes);
    EXPECT_EQ(close_ledger(reading).in_queue, 2);
    reading.captured = 4598;
    reading.unreported = -100;
    EXPECT_TRUE(close_ledger(reading).closes);
    EXPECT_EQ(close_ledger(reading).in_queue, 2);
    reading.unreported = 0;
    EXPECT_FALSE(close_ledger(reading).closes);
}

TEST(CloseLedger, ClonesOfForgottenRulesCount) {
    auto reading = exact_reading();
    reading.forgotten_clones = 12;
    reading.captured = 4512;
    const auto verdict = close_ledger(reading);
    EXPECT_TRUE(verdict.closes);
    EXPECT_EQ(verdict.in_queue, 0);
}

TEST(CloseLedger, ASlotThatChangesHandsClosesForBothAndKeepsWhatIsInFlight) {
    const auto before = exact_reading().rules[0];
    ASSERT_GT(before.row.in_flight.requests, 0u);
    const auto baseline = baseline_of(before.kernel, before.row);
    RuleReading after = before;
    subtract(after, baseline);
    EXPECT_TRUE(balanced(after.row));
    EXPECT_TRUE(is_zero(after.kernel));
    EXPECT_EQ(after.row.seen.requests, before.row.in_flight.requests);
    EXPECT_EQ(after.row.mirrored.requests, 0u);
    after = before;
    after.row.mirrored.requests += 1;  // one of those in flight arrives
    after.row.in_flight.requests -= 1;
    after.row.seen.requests += 2;  // and two of the new rule's
    after.row.in_flight.requests += 2;
    subtract(after, baseline);
    EXPECT_TRUE(balanced(after.row));
    EXPECT_EQ(after.row.mirrored.requests, 1u);
    EXPECT_EQ(after.row.seen.requests, before.row.in_flight.requests + 2);
}

TEST(CloseLedger, GaugesMayWrapBetweenWorkers) {
    umbra_ledger_row sum{}, row{};
    row.in_flight.bytes = ~0ULL;
    row.seen.bytes = 4;
    row.mirrored.bytes = 5;
    EXPECT_TRUE(balanced(row));
    add(sum, row);
    row = {};
    row.seen.bytes = row.in_flight.bytes = 1;
    add(sum, row);
    EXPECT_TRUE(balanced(sum));
    EXPECT_EQ(sum.in_flight.bytes, 0u);
}

TEST(SettleDead, TurnsWhatWasInFlightIntoShutdown) {
    auto row = exact_reading().rules[0].row;
    settle_dead(row);
    EXPECT_TRUE(balanced(row));
    EXPECT_EQ(row.in_flight.requests, 0u);
    EXPECT_EQ(row.dropped.shutdown.flows, 1u);
    EXPECT_EQ(row.dropped.shutdown.requests, 1u);
    EXPECT_EQ(row.dropped.shutdown.bytes, 300u);
}

TEST(SettleDead, BalancesARowThatDiedBetweenTwoWrites) {
    auto row = exact_reading().rules[0].row;
    row.seen.bytes += 7;      // seen, not yet in flight
    row.mirrored.flows += 1;  // mirrored, still in flight
    settle_dead(row);
    EXPECT_TRUE(balanced(row));
    EXPECT_EQ(row.dropped.shutdown.bytes, 307u);
    EXPECT_EQ(row.dropped.shutdown.flows, 0u);
    row = {};
    row.mirrored.requests = 3;
    settle_dead(row);
    EXPECT_TRUE(balanced(row));
}

TEST(LedgerReport, ListsNonZeroReasonsOnlyAndHidesEmptyRemovedRules) {
    auto reading = exact_reading();
    RuleReading living, removed, stand_in;
    living.rule = "default/idle";
    removed.rule = "default/gone";
    removed.removed = true;
    stand_in.rule = "default/mirror#unselected";
    reading.rules.insert(reading.rules.end(), {living, removed, stand_in});
    auto report = ledger_report(reading);
    EXPECT_EQ(report["closes"], true);
    ASSERT_EQ(report["rules"].size(), 2u);
    const auto& row = report["rules"][0];
    EXPECT_EQ(row["rule"], "default/mirror");
    EXPECT_FALSE(row.contains("removed"));
    EXPECT_EQ(row["kernel"]["dropped"].size(), 3u);
    EXPECT_EQ(row["kernel"]["dropped"]["ring_full"]["packets"], 7);
    EXPECT_EQ(row["dropped"].size(), 2u);
    EXPECT_EQ(row["dropped"]["connect_refused"]["requests"], 2);
    EXPECT_EQ(row["in_flight"]["bytes"], 300);
    EXPECT_EQ(report["capture"]["in_queue"], 2);
    reading.rules[2].kernel.seen = reading.rules[2].kernel.cloned = {1, 1};
    report = ledger_report(reading);
    ASSERT_EQ(report["rules"].size(), 3u);
    EXPECT_EQ(report["rules"][2]["removed"], true);
}

}  // namespace
}  // namespace umbra::agent
