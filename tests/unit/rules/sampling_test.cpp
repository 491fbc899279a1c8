#include "rules/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "umbra/abi/hash.h"

namespace umbra::rules {
namespace {

constexpr int kCount = 100'000;
constexpr double kTolerance = 1.0;  // percent of the whole

class Tuples {
public:
    FlowTuple next() {
        FlowTuple flow{*Endpoint::parse("10.0.0.1:1"), *Endpoint::parse("10.0.0.2:80")};
        const auto bits = random_();
        for (std::size_t i = 12; i < 16; ++i)
            flow.client.address.bytes[i] = static_cast<std::uint8_t>(bits >> (8 * (i - 12)));
        flow.client.port = static_cast<std::uint16_t>(bits >> 32);
        return flow;
    }

private:
    std::mt19937_64 random_{7};
};

double share(int taken) { return 100.0 * taken / kCount; }

TEST(Sampling, ThresholdsAreExactAtTheEndsAndFineBetween) {
    EXPECT_EQ(sampling_threshold(100), kEverything);
    EXPECT_EQ(sampling_threshold(0), 0u);
    EXPECT_EQ(sampling_threshold(50), kEverything / 2);
    EXPECT_EQ(sampling_threshold(12.5), kEverything / 8);
    EXPECT_EQ(sampling_threshold(0.0001), 4294u);
    EXPECT_LT(sampling_threshold(std::nextafter(100.0, 0.0)), kEverything);
    EXPECT_EQ(sampling_threshold(std::nan("")), 0u);
}

TEST(Sampling, FlowsAreHashedAsTheKernelDoes) {
    Tuples tuples;
    for (int i = 0; i < 100; ++i) {
        const auto flow = tuples.next();
        const umbra_tuple key = flow.to_key();
        EXPECT_EQ(flow_sample(flow, 99), umbra_flow_hash(&key, 99));
        EXPECT_EQ(flow_sample({flow.server, flow.client}, 99), flow_sample(flow, 99)) << "both directions alike";
    }
    EXPECT_EQ(sampling_seed("a/all"), 0xfa3d8000u) << "restarts and upgrades must sample the same flows";
}

TEST(Sampling, TenPercentOfFlows) {
    Tuples tuples;
    const auto seed = sampling_seed("default/a");
    const auto threshold = sampling_threshold(10);
    int taken = 0;
    for (int i = 0; i < kCount; ++i) taken += flow_sample(tuples.next(), seed) < threshold ? 1 : 0;
    EXPECT_NEAR(share(taken), 10.0, kTolerance);
}

TEST(Sampling, TenPercentOfTheRequestsOfOneConnection) {
    const auto flow = Tuples().next();
    const auto seed = sampling_seed("default/a");
    const auto threshold = sampling_threshold(10);
    int taken = 0, runs = 0;
    bool before = false;
    for (std::uint64_t i = 0; i < kCount; ++i) {
        const bool now = request_sample(flow, seed, i) < threshold;
        taken += now ? 1 : 0;
        runs += now && !before ? 1 : 0;
        before = now;
    }
    EXPECT_NEAR(share(taken), 10.0, kTolerance);
    EXPECT_NEAR(100.0 * runs / taken, 90.0, 5.0) << "neighbours must be independent";
}

TEST(Sampling, TenPercentOfTheValuesOfAHeader) {
    const auto seed = sampling_seed("default/a");
    const auto threshold = sampling_threshold(10);
    int taken = 0;
    for (int i = 0; i < kCount; ++i) {
        const auto value = "user-" + std::to_string(i);
        taken += header_sample({{"X-User", value}}, "x-user", seed) < threshold ? 1 : 0;
    }
    EXPECT_NEAR(share(taken), 10.0, kTolerance);
}

TEST(Sampling, EqualValuesOfAHeaderAreOneWhateverElseDiffers) {
    const HeaderViews one{{"Accept", "a"}, {"X-User", "ann"}}, other{{"x-user", "ann"}, {"Cookie", "c"}};
    EXPECT_EQ(header_sample(one, "x-user", 5), header_sample(other, "x-user", 5));
    EXPECT_NE(header_sample(one, "x-user", 5), header_sample(one, "x-user", 6));
    EXPECT_NE(header_sample({{"x-user", "ann"}, {"x-user", "bob"}}, "x-user", 5),
              header_sample({{"x-user", "annbob"}}, "x-user", 5));
    EXPECT_EQ(header_sample({}, "x-user", 5), header_sample({{"x-users", "a"}}, "x-user", 5));
    EXPECT_NE(header_sample({}, "x-user", 5), header_sample({{"x-user", ""}}, "x-user", 5));
}

PlanRule rule_with(std::vector<std::pair<double, Sampling::By>> mirrors) {
    PlanRule rule;
    for (const auto& [percent, by] : mirrors) {
        rule.mirrors.emplace_back().percent = percent;
        rule.mirrors.back().settings.sampling.by = by;
    }
    return rule;
}

TEST(Sampling, TheKernelClonesWhatTheLargestMirrorTakes) {
    using By = Sampling::By;
    EXPECT_EQ(kernel_threshold(rule_with({})), 0u);
    EXPECT_EQ(kernel_threshold(rule_with({{10, By::flow}, {25, By::flow}})), kEverything / 4);
    EXPECT_EQ(kernel_threshold(rule_with({{10, By::flow}, {1, By::request}})), kEverything);
    EXPECT_EQ(kernel_threshold(rule_with({{1, By::header}})), kEverything);
    EXPECT_EQ(kernel_threshold(rule_with({{0, By::header}, {0, By::request}, {0, By::flow}})), 0u);
    EXPECT_EQ(kernel_threshold(rule_with({{50, By::flow}, {0, By::request}})), kEverything / 2);
}

TEST(Sampling, SafeMethods) {
    for (const auto* method : {"GET", "HEAD", "OPTIONS", "TRACE"}) EXPECT_TRUE(is_safe_method(method));
    for (const auto* method : {"POST", "PUT", "PATCH", "DELETE", "CONNECT", "get", "PROPFIND", ""})
        EXPECT_FALSE(is_safe_method(method)) << method;
}

}  // namespace
}  // namespace umbra::rules
