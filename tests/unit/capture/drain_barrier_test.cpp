#include "capture/drain_barrier.h"

#include <gtest/gtest.h>

namespace umbra {
namespace {

TEST(DrainBarrier, PassesWhenBothQueuesWereSeenEmpty) {
    DrainBarrier barrier(100);
    EXPECT_FALSE(barrier.passed());
    barrier.begin(7);
    barrier.read(0, 5, true);
    EXPECT_FALSE(barrier.passed());
    barrier.read(1, 0, true);
    ASSERT_TRUE(barrier.passed());
    EXPECT_EQ(barrier.take(), 7u);
    EXPECT_FALSE(barrier.passed());
}

TEST(DrainBarrier, AQueueThatIsNeverEmptyPassesAfterItsLength) {
    DrainBarrier barrier(100);
    barrier.begin(3);
    barrier.read(1, 0, true);
    barrier.read(0, 99, false);
    EXPECT_FALSE(barrier.passed());
    barrier.begin(9);  // headers that came meanwhile wait for the next round
    barrier.read(0, 1, false);
    ASSERT_TRUE(barrier.passed());
    EXPECT_EQ(barrier.take(), 3u);
}

TEST(DrainBarrier, EmptinessSeenBeforeDoesNotCount) {
    DrainBarrier barrier(100);
    barrier.begin(1);
    barrier.read(0, 0, true);
    barrier.read(1, 0, true);
    EXPECT_EQ(barrier.take(), 1u);
    barrier.begin(2);
    barrier.read(0, 10, false);
    barrier.read(1, 0, true);
    EXPECT_FALSE(barrier.passed());
}

}  // namespace
}  // namespace umbra
