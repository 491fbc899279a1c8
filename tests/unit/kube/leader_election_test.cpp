#include "kube/leader_election.h"

#include <gtest/gtest.h>

#include <map>

namespace umbra::kube {
namespace {

constexpr double kWall = 1'800'000'000;

// An API that keeps one Lease with optimistic concurrency.
class LeaseServer {
public:
    ApiAnswer handle(const ElectionStep& step) {
        ApiAnswer answer;
        if (forced != 0) {
            answer.status = forced;
        } else if (step.method == "GET") {
            answer.status = lease.is_null() ? 404 : 200;
        } else if (step.method == "POST") {
            answer.status = lease.is_null() ? 201 : 409;
        } else {
            answer.status = text_at(step.lease, {"metadata", "resourceVersion"}) == version() ? 200 : 409;
        }
        if (answer.status == 201 || (answer.status == 200 && step.method == "PUT")) {
            lease = step.lease;
            lease["metadata"]["resourceVersion"] = std::to_string(++count_);
        }
        answer.body = lease.is_null() ? "{}" : lease.dump();
        return answer;
    }
    std::string version() const { return text_at(lease, {"metadata", "resourceVersion"}); }
    std::string holder() const { return text_at(lease, {"spec", "holderIdentity"}); }

    Json lease;
    long forced = 0;  // answered to everything

private:
    int count_ = 0;
};

struct World {
    LeaseServer server;
    TimeNs now = 1000 * kSecond;

    LeaderElection make(const std::string& name) {
        return {name, "ns", {}, [] { return 0.0; }};
    }
    // As many requests as are due now.
    void run(LeaderElection& election) {
        for (int i = 0; i < 10; ++i) {
            const auto step = election.due(now, kWall);
            if (!step) return;
            election.answered(server.handle(*step), now);
        }
        FAIL() << "the election does not come to rest";
    }
};

TEST(LeaderElection, TheFirstCreatesTheLeaseAndRenewsIt) {
    World world;
    auto a = world.make("a");
    world.run(a);
    EXPECT_TRUE(a.leads(world.now));
    EXPECT_EQ(world.server.holder(), "a");
    EXPECT_EQ(number_at(world.server.lease, {"spec", "leaseDurationSeconds"}), 15);
    EXPECT_EQ(a.wake_at(), world.now + 5 * kSecond);
    const std::string before = world.server.version();
    world.now += 5 * kSecond;
    world.run(a);
    EXPECT_NE(world.server.version(), before);
    EXPECT_TRUE(a.leads(world.now));
    EXPECT_EQ(number_at(world.server.lease, {"spec", "leaseTransitions"}), 0);
}

TEST(LeaderElection, OfManyExactlyOneLeadsAndAnotherFollowsItsDeath) {
    World world;
    auto a = world.make("a");
    auto b = world.make("b");
    auto c = world.make("c");
    for (int second = 0; second < 30; ++second, world.now += kSecond) {
        for (LeaderElection* one : {&a, &b, &c}) world.run(*one);
        EXPECT_EQ(a.leads(world.now) + b.leads(world.now) + c.leads(world.now), 1);
    }
    EXPECT_TRUE(a.leads(world.now));
    EXPECT_EQ(b.holder(), "a");
    // a dies.
    TimeNs without = 0;
    for (int second = 0; second < 40; ++second, world.now += kSecond) {
        for (LeaderElection* one : {&b, &c}) world.run(*one);
        const int leaders = a.leads(world.now) + b.leads(world.now) + c.leads(world.now);
        EXPECT_LE(leaders, 1);
        if (leaders == 0) without += kSecond;
    }
    EXPECT_TRUE(b.leads(world.now) || c.leads(world.now));
    EXPECT_LE(without, 20 * kSecond);
    EXPECT_EQ(number_at(world.server.lease, {"spec", "leaseTransitions"}), 1);
}

TEST(LeaderElection, ALeaderThatCannotRenewStepsBackBeforeAnotherFollows) {
    World world;
    auto a = world.make("a");
    world.run(a);
    world.server.forced = 500;
    world.now += 9 * kSecond;
    world.run(a);
    EXPECT_TRUE(a.leads(world.now));
    world.now += kSecond;
    EXPECT_FALSE(a.leads(world.now));
    EXPECT_NE(a.message().find("lease umbra-leader in ns: HTTP 500"), std::string::npos) << a.message();
    world.server.forced = 0;
    world.now += 5 * kSecond;
    world.run(a);
    EXPECT_TRUE(a.leads(world.now)) << "nobody else has taken it";
    EXPECT_EQ(a.message(), "");
}

TEST(LeaderElection, TwoThatTakeOverAtOnceAreSettledByTheServer) {
    World world;
    auto a = world.make("a");
    world.run(a);
    auto b = world.make("b");
    auto c = world.make("c");
    world.run(b);
    world.run(c);
    world.now += 20 * kSecond;
    // Both look first, then both replace.
    b.answered(world.server.handle(*b.due(world.now, kWall)), world.now);
    c.answered(world.server.handle(*c.due(world.now, kWall)), world.now);
    b.answered(world.server.handle(*b.due(world.now, kWall)), world.now);
    c.answered(world.server.handle(*c.due(world.now, kWall)), world.now);
    EXPECT_TRUE(b.leads(world.now));
    EXPECT_FALSE(c.leads(world.now));
}

TEST(LeaderElection, AReleasedLeaseIsTakenAtOnce) {
    World world;
    auto a = world.make("a");
    auto b = world.make("b");
    world.run(a);
    world.run(b);
    a.release();
    EXPECT_FALSE(a.released());
    world.run(a);
    EXPECT_TRUE(a.released());
    EXPECT_FALSE(a.leads(world.now));
    EXPECT_EQ(world.server.holder(), "");
    world.now += 5 * kSecond;
    world.run(b);
    EXPECT_TRUE(b.leads(world.now));
    b.release();
    world.server.forced = 500;
    world.run(b);
    EXPECT_TRUE(b.released()) << "a release that fails is not waited for";
}

TEST(LeaderElection, WhoDoesNotLeadReleasesNothing) {
    World world;
    auto a = world.make("a");
    a.release();
    EXPECT_FALSE(a.due(world.now, kWall));
    EXPECT_TRUE(a.released());
}

TEST(LeaderElection, ForbiddenIsSaidAndTriedAgainSlowly) {
    World world;
    auto a = world.make("a");
    world.server.forced = 403;
    world.run(a);
    EXPECT_NE(a.message().find("get, lease umbra-leader in ns: HTTP 403"), std::string::npos) << a.message();
    EXPECT_EQ(a.wake_at(), world.now + 30 * kSecond);
    EXPECT_FALSE(a.leads(world.now));
}

TEST(LeaderElection, AnAnswerThatIsNoLeaseIsTrouble) {
    World world;
    auto a = world.make("a");
    ASSERT_TRUE(a.due(world.now, kWall));
    ApiAnswer answer;
    answer.status = 200;
    answer.body = "<html>";
    a.answered(answer, world.now);
    EXPECT_FALSE(a.leads(world.now));
    EXPECT_NE(a.message(), "");
    EXPECT_GT(a.wake_at(), world.now);
}

}  // namespace
}  // namespace umbra::kube
