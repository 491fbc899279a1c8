#include "terminator/limit_table.h"

#include <gtest/gtest.h>

#include <set>

#include "base/ledger.h"

namespace umbra {
namespace {

struct Anything {
    template <class T>
    constexpr operator T() const;
};

// How many values an aggregate is made of.
template <class T, class... Given>
constexpr std::size_t fields_of() {
    if constexpr (requires { T{Given{}..., Anything{}}; })
        return fields_of<T, Given..., Anything>();
    else
        return sizeof...(Given);
}

constexpr std::size_t kSwitches = 4;  // of reassembly: two policies, fast_open, the seed
constexpr std::size_t kFields = fields_of<ReassemblyLimits>() - kSwitches + fields_of<ReplayLimits>() +
                                fields_of<ProtocolLimits>() - 1 + fields_of<wire::ChunkedLimits>();

// A field without a row, or two rows of one field, show here.
TEST(LimitTable, EveryFieldHasARowOfItsOwn) {
    auto limits = default_limits(1);
    const auto names = list_limits(limits);
    EXPECT_EQ(names.size(), kFields);
    const auto value = [](const ExceptionRow& row, std::size_t i) {
        const bool time = row.force.starts_with("--limit");
        return std::to_string(2001 + i) + (time ? "ms" : "");
    };
    for (std::size_t i = 0; i < names.size(); ++i)
        ASSERT_TRUE(set_limit(limits, names[i].name + "=" + value(names[i], i))) << names[i].name;
    const auto rows = list_limits(limits);
    for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i].value, value(names[i], i)) << rows[i].name;
}

TEST(LimitTable, EveryCounterIsAReasonOrSaysWhatItIs) {
    std::set<std::string> reasons{"-"};
    for (unsigned r = 0; r < UMBRA_REASON_COUNT; ++r) reasons.insert(reason_name(static_cast<Reason>(r)));
    for (const auto& row : list_limits(default_limits(1)))
        EXPECT_TRUE(reasons.contains(row.counter) || row.counter.starts_with("status: ")) << row.name;
}

TEST(LimitTable, ForcesNumbersAndRefusesTimes) {
    auto limits = default_limits(1);
    ASSERT_TRUE(force_limit(limits, "flows"));
    ASSERT_TRUE(force_limit(limits, "chunk_trailer=7"));
    EXPECT_EQ(limits.reassembly.flows.forced_every(), 1u);
    EXPECT_EQ(limits.protocol.chunked.trailer_bytes.forced_every(), 7u);
    for (const char* text : {"nothing", "flows=0", "flows=x", "flows=-1", "flows=99999999999", "", "=1"})
        EXPECT_FALSE(force_limit(limits, text)) << text;
    const auto time = force_limit(limits, "flow_idle");
    ASSERT_FALSE(time);
    EXPECT_EQ(time.error().hint, "set it: '--limit flow_idle=1ms'");
}

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
    ASSERT_TRUE(set_limit(limits, "request_head=8k"));
    EXPECT_EQ(limits.protocol.head_bytes, 8192u);
    ASSERT_TRUE(set_limit(limits, "chunk_extension=16"));
    EXPECT_EQ(limits.protocol.chunked.extension_bytes, 16u);
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
