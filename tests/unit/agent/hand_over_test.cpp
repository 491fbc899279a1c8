#include "agent/hand_over.h"

#include <gtest/gtest.h>

namespace umbra::agent {
namespace {

constexpr HandOver::Look kLost{1000, 900, true};
constexpr HandOver::Look kArrived{1000, 1100, true};

TEST(HandOver, ADifferenceThatStaysWhileTheQueuesAreEmptyIsUnreported) {
    HandOver account;
    account.settle(kLost, kLost);
    EXPECT_EQ(account.unreported(), 100);
    account.settle(kArrived, kArrived);
    EXPECT_EQ(account.unreported(), -100);
}

TEST(HandOver, WhatMovesOrWaitsIsNotJudged) {
    HandOver account;
    account.settle(kLost, {1000, 901, true});
    account.settle(kLost, {1001, 900, true});
    account.settle({1000, 900, false}, {1000, 900, false});
    account.settle({1000, 900, false}, kLost);
    account.settle(kLost, {1000, 900, false});
    EXPECT_EQ(account.unreported(), 0);
}

TEST(HandOver, AWrongConclusionIsPutRightByTheNext) {
    HandOver account;
    account.settle(kLost, kLost);
    const HandOver::Look came{1000, 1000, true};
    account.settle(came, came);
    EXPECT_EQ(account.unreported(), 0);
}

}  // namespace
}  // namespace umbra::agent
