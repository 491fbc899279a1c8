// 100,000 requests that carry their own hash, with 0.1, 1 and 5 % of the cloned packets lost on their way to the
// worker; and the same with the server's headers lost as well. What may be missing is decided per request:
//   - a request that lost a byte; nothing of it may look complete
//   - a whole one behind it in the same pipelined flight: where it begins cannot be known
//   - with lost headers, all until the next flight that follows a proven boundary
// Everything else must have arrived, once, in order and unaltered.
#include <gtest/gtest.h>

#include <cstdio>

#include "unit/terminator/loss_world.h"

namespace umbra::test {
namespace {

constexpr std::uint64_t kRequests = 100'000;

double share(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 1.0 : static_cast<double>(part) / static_cast<double>(whole);
}

template <std::size_t N>
std::uint64_t sum(const std::array<std::uint64_t, N>& counts) {
    std::uint64_t total = 0;
    for (const auto count : counts) total += count;
    return total;
}

void expect_ledger_closes(const umbra_ledger_row& row) {
    for (const Unit unit : {&umbra_units::flows, &umbra_units::requests, &umbra_units::bytes}) {
        std::uint64_t known = row.mirrored.*unit;
        for (unsigned r = 0; r < UMBRA_REASON_COUNT; ++r) known += dropped_units(row, static_cast<Reason>(r)).*unit;
        EXPECT_EQ(row.in_flight.*unit, 0u);
        EXPECT_EQ(row.seen.*unit, known);
    }
}

void print(const LossRates& rates, const LossTotals& totals) {
    const auto breaks = sum(totals.skipped), alone = sum(totals.skipped_alone);
    std::printf(
        "clones %.1f %%, headers %.1f %%: %llu requests, %llu lost bytes, %llu whole ones missing, %llu of %llu "
        "connections broken; joined again with 0/1/2/3+ whole requests missing: %llu/%llu/%llu/%llu "
        "(at most one: %.2f %%; not pipelined: %.2f %%)\n",
        rates.clones * 100, rates.headers * 100, static_cast<unsigned long long>(totals.requests),
        static_cast<unsigned long long>(totals.damaged), static_cast<unsigned long long>(totals.excused_missing),
        static_cast<unsigned long long>(totals.broken_connections), static_cast<unsigned long long>(totals.connections),
        static_cast<unsigned long long>(totals.skipped[0]), static_cast<unsigned long long>(totals.skipped[1]),
        static_cast<unsigned long long>(totals.skipped[2]), static_cast<unsigned long long>(totals.skipped[3]),
        100 * share(totals.skipped[0] + totals.skipped[1], breaks),
        100 * share(totals.skipped_alone[0] + totals.skipped_alone[1], alone));
}

class CaptureLoss : public testing::TestWithParam<LossRates> {};

TEST_P(CaptureLoss, NothingAlteredNothingElseMissingAndSoonJoinedAgain) {
    LossWorld world(GetParam(), 7);
    const LossTotals totals = world.run(kRequests);
    print(GetParam(), totals);
    for (std::size_t i = 0; i < std::min<std::size_t>(totals.wrong.size(), 10); ++i) ADD_FAILURE() << totals.wrong[i];
    EXPECT_TRUE(totals.wrong.empty()) << totals.wrong.size() << " in all";
    EXPECT_GE(totals.requests, kRequests);
    EXPECT_GT(totals.damaged, 0u);
    expect_ledger_closes(world.row());
    EXPECT_EQ(world.row().mirrored.requests, totals.arrived);
    const auto& alone = totals.skipped_alone;
    EXPECT_GT(sum(alone), 0u);
    EXPECT_GE(share(alone[0] + alone[1], sum(alone)), 0.99);
    if (GetParam().headers > 0) return;
    EXPECT_EQ(alone[0], sum(alone)) << "the very next request proves itself by the answer before it";
    EXPECT_GE(share(totals.skipped[0] + totals.skipped[1], sum(totals.skipped)), 0.99);
}

TEST_P(CaptureLoss, EachBrokenFlowIsCounted) {
    if (GetParam().headers > 0) return;  // then flows also break by what is never learned
    LossWorld world(GetParam(), 8);
    const LossTotals totals = world.run(kRequests / 10);
    EXPECT_EQ(world.worker().broken_flows, totals.broken_connections);
    EXPECT_GE(world.worker().gaps, totals.broken_connections);
}

INSTANTIATE_TEST_SUITE_P(Clones, CaptureLoss,
                         testing::Values(LossRates{0.001, 0}, LossRates{0.01, 0}, LossRates{0.05, 0}));
INSTANTIATE_TEST_SUITE_P(ClonesAndHeaders, CaptureLoss,
                         testing::Values(LossRates{0.001, 0.001}, LossRates{0.01, 0.01}, LossRates{0.05, 0.05}));

}  // namespace
}  // namespace umbra::test
