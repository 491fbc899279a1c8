#include "capture/loss_injector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace umbra {
namespace {

TEST(LossInjector, ReadsAPercentageAndASeed) {
    struct {
        const char* text;
        std::uint32_t per_million;
        std::uint64_t seed;
    } const cases[] = {{"0.1", 1'000, 1},     {"1", 10'000, 1},          {"5,42", 50'000, 42},
                       {"100", 1'000'000, 1}, {"12.3456,0", 123'456, 0}, {"0.0001,7", 1, 7}};
    for (const auto& given : cases) {
        const auto loss = parse_injected_loss(given.text);
        ASSERT_TRUE(loss) << given.text;
        EXPECT_EQ(loss->per_million, given.per_million) << given.text;
        EXPECT_EQ(loss->seed, given.seed) << given.text;
    }
}

TEST(LossInjector, RefusesWhatIsNoLoss) {
    for (const char* text :
         {"", "0", "0.0", "0.00001", "100.1", "101", "-1", "1.", "1%", "x", "1,", "1,x", ",1", "1e2"}) {
        const auto loss = parse_injected_loss(text);
        ASSERT_FALSE(loss) << text;
        EXPECT_EQ(loss.error().code, ErrorCode::usage);
        EXPECT_FALSE(loss.error().hint.empty());
    }
}

std::vector<bool> draws(const InjectedLoss& loss, std::uint32_t worker, int count) {
    LossInjector injector(loss, worker);
    std::vector<bool> out;
    for (int i = 0; i < count; ++i) out.push_back(injector.next_is_lost());
    return out;
}

TEST(LossInjector, LosesItsShareRepeatably) {
    constexpr int kPackets = 1'000'000;
    for (const std::uint32_t per_million : {1'000u, 10'000u, 50'000u, 1'000'000u}) {
        const auto first = draws({per_million, 9}, 0, kPackets);
        const auto lost = static_cast<double>(std::count(first.begin(), first.end(), true));
        EXPECT_NEAR(lost, per_million, 0.05 * per_million + 1);
        EXPECT_EQ(first, draws({per_million, 9}, 0, kPackets));
        if (per_million == 1'000'000u) continue;
        EXPECT_NE(first, draws({per_million, 10}, 0, kPackets));
        EXPECT_NE(first, draws({per_million, 9}, 1, kPackets));
    }
}

TEST(LossInjector, NothingIsLostUnlessAsked) {
    LossInjector injector({}, 0);
    EXPECT_FALSE(injector.active());
    for (int i = 0; i < 1000; ++i) EXPECT_FALSE(injector.next_is_lost());
}

}  // namespace
}  // namespace umbra
