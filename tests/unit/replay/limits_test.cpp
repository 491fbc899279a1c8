// Every bound of the stage, forced.
#include <gtest/gtest.h>

#include "unit/replay/replay_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = ScriptedServer::Session;

TEST(Limits, ASlowReaderFillsTheFlowsQueueAndLosesThatRequest) {
    ReplayLimits limits;
    limits.flow_queue_bytes = 1024 * 1024;
    ReplayHarness harness(limits);
    ScriptedServer server(harness.io);
    server.on_accept = [&](Session& session) { session.paused = server.sessions.size() == 1; };
    harness.mirror_to({&server});
    const std::string text = post("/big", noise(64 * 1024 * 1024));
    std::uint64_t most = 0;
    for (std::size_t at = 0; at < text.size(); at += 256 * 1024) {
        harness.data(std::string_view(text).substr(at, 256 * 1024));
        harness.io.poll();
        most = std::max<std::uint64_t>(most, harness.worker.queued_bytes);
    }
    EXPECT_LE(most, limits.flow_queue_bytes);
    EXPECT_EQ(harness.lost(Reason::flow_queue), 1u);
    EXPECT_EQ(harness.lost_bytes(Reason::flow_queue), text.size());
    harness.data(get("/next"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
    std::error_code error;
    char byte;
    while (!error) server.sessions[0]->socket.read_some(asio::buffer(&byte, 1), error);
    EXPECT_EQ(error, asio::error::connection_reset);
}

TEST(Limits, ARequestThatMayBeginEarlyIsNotAskedAgain) {
    for (std::uint32_t every = 1; every <= 5; ++every) {
        ReplayLimits limits;
        limits.hold_bytes.force(every);
        ReplayHarness harness(limits);
        ScriptedServer server(harness.io);
        harness.mirror_to({&server});
        for (unsigned i = 0; i < 10; ++i) {
            harness.data(get("/first"));
            const std::string text = post("/behind", noise(3000));
            for (std::size_t at = 0; at < text.size(); at += 1000) {
                harness.data(std::string_view(text).substr(at, 1000));
                if (at == 0) harness.until([&] { return harness.mirrored() == 2u * i + 1; });
            }
            harness.settle();
        }
        EXPECT_EQ(harness.mirrored(), 20u) << "every " << every;
    }
}

TEST(Limits, AFlowsQueueOfRequestsIsBounded) {
    ReplayLimits limits;
    limits.flow_queue_bytes = 10'000;
    limits.flow_requests = 50;
    ReplayHarness harness(limits);
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    for (int i = 0; i < 100; ++i) harness.data(get("/x"));
    EXPECT_EQ(harness.lost(Reason::flow_queue), 50u);
    harness.data(post("/y", noise(20'000)), 1);
    EXPECT_EQ(harness.lost(Reason::flow_queue), 51u);
    EXPECT_LE(harness.worker.queued_bytes, 10'000u);
}

TEST(Limits, AllQueuesTogetherAreBounded) {
    ReplayLimits limits;
    limits.total_queue_bytes = 10 * kChunkBytes;
    ReplayHarness harness(limits);
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    for (std::size_t flow = 0; flow < 30; ++flow) harness.data(post("/y", noise(10'000)), flow);
    EXPECT_EQ(harness.lost(Reason::total_queue), 20u);
    EXPECT_LE(harness.worker.queued_bytes, limits.total_queue_bytes);
}

TEST(Limits, ConnectionsAreBoundedAndIdleOnesMakeRoom) {
    ReplayLimits limits;
    limits.connections = 3;
    ReplayHarness harness(limits);
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    for (std::size_t flow = 0; flow < 10; ++flow) {
        harness.data(get("/x"), flow);
        harness.settle();
        EXPECT_LE(harness.worker.connections, 3u);
    }
    for (std::size_t flow = 0; flow < 10; ++flow) {
        harness.data(get("/y"), flow);
        harness.settle();
    }
    EXPECT_EQ(harness.mirrored(), 20u);
    server.on_request = nullptr;
    for (std::size_t flow = 10; flow < 16; ++flow) {
        harness.data(get("/z"), flow);
        harness.breathe();
    }
    EXPECT_EQ(harness.lost(Reason::connection_limit), 3u);
    EXPECT_EQ(harness.worker.connections, 3u);
}

// What the loop guard cannot list would be mirrored again.
TEST(Limits, AConnectionThatTheLoopGuardDoesNotTakeIsNotUsed) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.router.choice.guard = true;
    harness.own.full = true;
    for (int i = 0; i < 10; ++i) harness.data(get("/x"));
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::connection_limit), 10u);
    EXPECT_TRUE(server.received().empty());
    harness.own.full = false;
    harness.data(get("/y"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u) << "no breaker has opened";
}

// Limits: connection_idle.
TEST(Limits, IdleConnectionsAreClosed) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.data(get("/x"));
    harness.settle();
    harness.tick(59 * kSecond);
    EXPECT_EQ(harness.worker.connections, 1u);
    harness.tick(2 * kSecond);
    EXPECT_EQ(harness.worker.connections, 0u);
    harness.until([&] { return server.sessions[0]->finished; });
    harness.data(get("/y"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
}

TEST(Limits, AMirrorThatStopsReadingTimesOut) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_accept = [](Session& session) { session.paused = true; };
    harness.mirror_to({&server});
    harness.data(post("/big", noise(16 * 1024 * 1024)));
    harness.breathe();
    EXPECT_GT(harness.worker.queued_bytes, 0u);
    harness.tick(16 * kSecond);
    EXPECT_EQ(harness.lost(Reason::response_timeout), 1u);
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
}

// Limits: breaker_first_pause, breaker_pause.
TEST(Breaker, OpensDoublesAndCloses) {
    const ReplayLimits limits;
    Breaker breaker(limits);
    TimeNs now = kSecond;
    for (int i = 0; i < 5; ++i) {
        const auto attempt = breaker.allow(now);
        EXPECT_TRUE(attempt);
        EXPECT_FALSE(attempt.probe);
        breaker.failed(now, attempt);
    }
    EXPECT_TRUE(breaker.open());
    for (const TimeNs pause : {200, 400, 800, 1600, 2000, 2000}) {
        EXPECT_FALSE(breaker.allow(now + pause * kMillisecond - 1)) << pause;
        now += pause * kMillisecond;
        const auto probe = breaker.allow(now);
        EXPECT_TRUE(probe.probe) << pause;
        EXPECT_FALSE(breaker.allow(now)) << "one probe at a time";
        breaker.failed(now, probe);
    }
    now += 2 * kSecond;
    const auto probe = breaker.allow(now);
    breaker.cancelled(probe);
    EXPECT_TRUE(breaker.allow(now));
    breaker.succeeded();
    EXPECT_FALSE(breaker.open());
    EXPECT_TRUE(breaker.allow(now));
    EXPECT_TRUE(breaker.allow(now));
}

TEST(Breaker, AttemptsFromBeforeItOpenedChangeNothing) {
    const ReplayLimits limits;
    Breaker breaker(limits);
    TimeNs now = kSecond;
    const Breaker::Permission early = breaker.allow(now);
    for (int i = 0; i < 5; ++i) breaker.failed(now, early);
    now += limits.breaker_first_pause;
    const auto probe = breaker.allow(now);
    EXPECT_TRUE(probe.probe);
    for (int i = 0; i < 5; ++i) breaker.failed(now, early);
    breaker.cancelled(early);
    EXPECT_FALSE(breaker.allow(now + kSecond)) << "the probe is still under way";
    breaker.failed(now, probe);
    EXPECT_FALSE(breaker.allow(now + 2 * limits.breaker_first_pause - 1));
    EXPECT_TRUE(breaker.allow(now + 2 * limits.breaker_first_pause)) << "the pause doubled once";
}

}  // namespace
}  // namespace umbra
