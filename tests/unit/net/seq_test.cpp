#include "net/seq.h"

#include <gtest/gtest.h>

namespace umbra {
namespace {

TEST(Seq, ComparesAcrossTheWrap) {
    EXPECT_TRUE(seq_before(0xffffffff, 0));
    EXPECT_TRUE(seq_after(5, 0xfffffff0));
    EXPECT_FALSE(seq_before(7, 7));
    EXPECT_EQ(seq_distance(0xfffffffe, 3), 5);
    EXPECT_EQ(seq_distance(3, 0xfffffffe), -5);
}

TEST(Seq, UnwrapsToTheNearestPosition) {
    const StreamPos first = first_position(0xfffffffe);
    EXPECT_EQ(unwrap(0xffffffff, first), first + 1);
    EXPECT_EQ(unwrap(3, first), first + 5);
    EXPECT_EQ(unwrap(0xfffffff0, first), first - 14);
    EXPECT_EQ(unwrap(0xfffffff0, first + 100), first - 14);
    const StreamPos low = first_position(2);
    EXPECT_EQ(unwrap(0xfffffffe, low), low - 4);
    EXPECT_EQ(static_cast<std::uint32_t>(unwrap(0x12345678, low)), 0x12345678u);
}

}  // namespace
}  // namespace umbra
