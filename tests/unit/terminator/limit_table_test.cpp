#include "terminator/limit_table.h"

#include <gtest/gtest.h>

namespace umbra {
namespace {

TEST(LimitTable, SetsWhatItNames) {
    auto limits = default_limits(2);
    ASSERT_TRUE(set_limit(limits, "response_timeout=1500ms"));
    EXPECT_EQ(limits.replay.response_timeout, 1500 * kMillisecond);
    ASSERT_TRUE(set_limit(limits, "connect_timeout=2m"));
    EXPECT_EQ(limits.replay.connect_timeout, 120 * kSecond);
    ASSERT_TRUE(set_limit(limits, "queue_memory=64M"));
    EXPECT_EQ(limits.replay.total_queue_bytes, 64u << 20);
    ASSERT_TRUE(set_limit(limits, "flows=100"));
    EXPECT_EQ(limits.reassembly.flows, 100u);
}

TEST(LimitTable, RefusesWhatIsNoFiniteLimit) {
    auto limits = default_limits(2);
    for (const char* text :
         {"flows", "flows=", "flows=0", "flows=-1", "flows=10x", "nothing=1", "response_timeout=5",
          "response_timeout=0s", "queue_memory=99999999999999999999", "queue_memory=9999999999G", "", "=5"}) {
        const auto set = set_limit(limits, text);
        ASSERT_FALSE(set) << text;
        EXPECT_EQ(set.error().code, ErrorCode::usage) << text;
        EXPECT_FALSE(set.error().hint.empty()) << text;
    }
}

TEST(LimitTable, EveryRowCanBeWrittenBackAndIsFinite) {
    const auto defaults = default_limits(4);
    auto limits = defaults;
    const auto rows = list_limits(defaults);
    ASSERT_GT(rows.size(), 15u);
    for (const auto& row : rows) EXPECT_TRUE(set_limit(limits, row.name + "=" + row.value)) << row.name;
    const auto again = list_limits(limits);
    for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(again[i].value, rows[i].value) << rows[i].name;
}

TEST(LimitTable, WorkersShareTheMemoryOfTheProcess) {
    EXPECT_LT(default_limits(16).replay.total_queue_bytes, default_limits(1).replay.total_queue_bytes);
    EXPECT_LE(default_limits(16).replay.flow_queue_bytes, default_limits(16).replay.total_queue_bytes);
    EXPECT_GE(default_limits(64).reassembly.memory, 16u << 20);
}

}  // namespace
}  // namespace umbra
