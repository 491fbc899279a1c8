// What a mirror's settings say of limits and timeouts, each forced.
#include <gtest/gtest.h>

#include "unit/replay/replay_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = ScriptedServer::Session;
using Strings = std::vector<std::string>;

const ScriptedServer::Answer kAnswer = [](Session& session, const std::string&) { session.send(kOk); };

TEST(TokenBucket, HoldsOneSecondAndLosesNothingToRounding) {
    TokenBucket bucket(1000);
    TimeNs now = 5 * kSecond;
    EXPECT_TRUE(bucket.take(1000, now));
    EXPECT_FALSE(bucket.take(1, now));
    EXPECT_FALSE(bucket.take(1, now + kMillisecond - 1));
    EXPECT_TRUE(bucket.take(1, now + kMillisecond));
    std::uint64_t taken = 0;
    for (int i = 0; i < 100'000; ++i) {
        now += 100 * kMicrosecond + 7;
        while (bucket.take(1, now)) ++taken;
    }
    EXPECT_GE(taken, 9'998u);
    EXPECT_LE(taken, 10'001u);
    now += 100 * kSecond;
    EXPECT_FALSE(bucket.has(1001, now));
    EXPECT_TRUE(bucket.take(1000, now));
}

TEST(TokenBucket, ARateBeyondAnyNetworkDoesNotOverflow) {
    TokenBucket bucket(std::uint64_t{1} << 62);
    EXPECT_TRUE(bucket.take(std::uint64_t{1} << 62, kSecond));
    EXPECT_FALSE(bucket.has(std::uint64_t{1} << 61, kSecond + kSecond / 4));
    EXPECT_TRUE(bucket.has(std::uint64_t{1} << 61, kSecond + kSecond / 2));
    TokenBucket unlimited(0);
    EXPECT_TRUE(unlimited.take(~std::uint64_t{0}, 0));
}

TEST(RateAccount, TakesFromTheMirrorAndTheWorkerOrFromNeither) {
    TokenBucket all(1000);
    RateAccount first(600, all), second(0, all);
    EXPECT_FALSE(first.take(601, kSecond));
    EXPECT_TRUE(first.take(600, kSecond));
    EXPECT_FALSE(second.has(401, kSecond));
    EXPECT_FALSE(second.take(401, kSecond));
    EXPECT_TRUE(second.take(400, kSecond)) << "what was refused must not have been taken";
    EXPECT_FALSE(second.take(1, kSecond));
    EXPECT_TRUE(second.take(1000, 2 * kSecond));
    EXPECT_FALSE(first.take(1, 2 * kSecond)) << "its own rate would allow it";
}

// Limits: policy_in_flight.
TEST(MirrorLimits, RequestsInFlight) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    harness.configure([](auto& settings) { settings.limits.in_flight = 2; });
    for (std::size_t flow = 0; flow < 5; ++flow) harness.data(get("/x"), flow);
    harness.until([&] { return harness.lost(Reason::mirror_in_flight) == 3; });
    harness.until([&] { return server.requests().size() == 2; });
    for (const auto& session : server.sessions) {
        if (!session->requests.empty()) session->send(kOk);
    }
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
    server.on_request = kAnswer;
    harness.data(get("/y"), 4);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 3u);
}

// Limits: policy_connections.
TEST(MirrorLimits, Connections) {
    ReplayHarness harness;
    ScriptedServer server(harness.io), other(harness.io);
    harness.configure([](auto& settings) { settings.limits.connections = 2; });
    harness.mirror_to({&server});
    for (std::size_t flow = 0; flow < 6; ++flow) {
        harness.data(get("/idle"), flow);
        harness.settle();
        EXPECT_LE(harness.worker.connections, 2u);
    }
    EXPECT_EQ(harness.mirrored(), 6u) << "idle ones make room";
    server.on_request = nullptr;
    for (std::size_t flow = 6; flow < 10; ++flow) {
        harness.data(get("/busy"), flow);
        harness.breathe();
    }
    EXPECT_EQ(harness.lost(Reason::connection_limit), 2u);
    EXPECT_EQ(harness.worker.connections, 2u);
    harness.mirror_to({&other});
    harness.data(get("/other"), 10);
    harness.until([&] { return other.requests().size() == 1; });
}

// Limits: policy_queued_bytes.
TEST(MirrorLimits, QueuedBytesOfAllFlowsTogether) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    harness.configure([](auto& settings) { settings.limits.queued_bytes = 10'000; });
    for (std::size_t flow = 0; flow < 4; ++flow) harness.data(post("/x", noise(4'000)), flow);
    EXPECT_EQ(harness.lost(Reason::mirror_queue), 2u);
    EXPECT_LE(harness.worker.queued_bytes, 10'000u);
    harness.until([&] { return server.requests().size() == 2; });
    for (const auto& session : server.sessions) session->send(kOk);
    harness.settle();
    server.on_request = kAnswer;
    for (int i = 0; i < 5; ++i) {
        harness.data(post("/y", noise(9'000)), 3);
        harness.settle();
    }
    EXPECT_EQ(harness.mirrored(), 7u) << "what was taken off the queue does not count any more";
    harness.data(post("/z", noise(20'000)).substr(0, 15'000), 2);
    EXPECT_EQ(harness.lost(Reason::mirror_queue), 3u);
}

TEST(MirrorLimits, QueuedBytesOfARawFlow) {
    ReplayHarness harness;
    BlackHole hole(harness.io);
    harness.target.endpoints = {hole.endpoint()};
    harness.configure([](auto& settings) { settings.limits.queued_bytes = 1'000; });
    harness.data("*1\r\n$4\r\nPING\r\n" + noise(900));
    EXPECT_EQ(harness.lost_bytes(Reason::mirror_queue), 0u);
    harness.data(noise(200));
    EXPECT_EQ(harness.lost_bytes(Reason::mirror_queue), 14u + 900 + 200);
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
}

// Limits: policy_bytes_per_second.
TEST(MirrorLimits, ARateShedsWholeRequests) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    const std::string text = post("/x", noise(1'000));
    harness.configure([&](auto& settings) { settings.limits.bytes_per_second = 10 * text.size() + 5; });
    for (int i = 0; i < 15; ++i) harness.data(text);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 10u);
    EXPECT_EQ(harness.lost(Reason::mirror_rate), 5u);
    harness.tick(kSecond / 2);
    for (int i = 0; i < 15; ++i) harness.data(text, 1);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 15u) << "the rate is the mirror's, not a flow's";
    harness.close(CloseKind::finished, 0);
    harness.close(CloseKind::finished, 1);
    for (int i = 0; i < 10; ++i) harness.tick(10 * kMillisecond);
    for (int i = 0; i < 15; ++i) harness.data(text, 2);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 16u) << "a mirror without flows is not forgotten at once";
    harness.tick(100 * kSecond);
    for (int i = 0; i < 15; ++i) harness.data(text, 2);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 26u) << "one second of burst at most";
    EXPECT_EQ(server.requests(), Strings(26, text));
}

TEST(MirrorLimits, ARateGivesUpALargeRequestAsAWhole) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.configure([](auto& settings) { settings.limits.bytes_per_second = 100'000; });
    const std::string text = post("/x", noise(300'000));
    harness.data_in_pieces(text.substr(0, 90'000), 10'000);
    harness.until([&] { return server.received().size() == 90'000; });
    harness.data_in_pieces(text.substr(90'000), 10'000);
    EXPECT_EQ(harness.lost(Reason::mirror_rate), 1u);
    EXPECT_EQ(harness.lost_bytes(Reason::mirror_rate), text.size());
    harness.until([&] { return server.sessions[0]->was_reset; });
    EXPECT_TRUE(server.requests().empty());
    harness.tick(kSecond);
    harness.data(get("/next"));
    harness.settle();
    EXPECT_EQ(server.requests(), Strings{get("/next")});
}

TEST(MirrorLimits, ASlowLargeRequestStaysWithinTheRate) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.configure([](auto& settings) { settings.limits.bytes_per_second = 100'000; });
    const std::string text = post("/x", noise(600'000));
    for (std::size_t at = 0; at < text.size(); at += 50'000) {
        harness.data(text.substr(at, 50'000));
        harness.breathe();
        harness.tick(kSecond / 2);
    }
    harness.settle();
    EXPECT_EQ(server.requests(), Strings{text});
}

TEST(MirrorLimits, ARateEndsARawFlow) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.configure([](auto& settings) { settings.limits.bytes_per_second = 10'000; });
    const std::string first = "*1\r\n$4\r\nPING\r\n" + noise(8'000);
    harness.data(first);
    harness.until([&] { return server.received() == first; });
    harness.data(noise(8'000));
    harness.data(noise(10));
    EXPECT_EQ(harness.lost_bytes(Reason::mirror_rate), 8'010u);
    harness.until([&] { return server.sessions[0]->was_reset; });
    EXPECT_EQ(server.received(), first);
}

TEST(MirrorSettings, EachHasItsOwnAccounts) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    std::vector<Choice> choices;
    for (const std::uint32_t most : {1, 2}) {
        harness.configure([&](auto& settings) { settings.limits.in_flight = most; });
        choices.push_back(harness.router.choice);
    }
    harness.router.by_request = [&](const RequestHead& head) { return choices[head.target == "/two"]; };
    for (std::size_t flow = 0; flow < 6; ++flow) harness.data(get(flow % 2 ? "/two" : "/one"), flow);
    harness.until([&] { return harness.lost(Reason::mirror_in_flight) == 3; });
    harness.until([&] { return server.requests().size() == 3; });
    EXPECT_EQ(harness.row.in_flight.requests, 3u);
}

TEST(MirrorSettings, EqualOnesOfANewPlanKeepConnectionsAndAccounts) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    const std::string text = post("/x", noise(1'000));
    harness.configure([&](auto& settings) { settings.limits.bytes_per_second = 3 * text.size(); });
    for (int i = 0; i < 5; ++i) {
        harness.configure([](auto&) {});
        harness.data(text);
        harness.settle();
    }
    EXPECT_EQ(harness.mirrored(), 3u);
    EXPECT_EQ(server.sessions.size(), 1u);
    harness.configure([](auto& settings) { settings.limits.bytes_per_second = 0; });
    harness.data(text);
    harness.settle();
    EXPECT_EQ(server.sessions.size(), 1u) << "a limit that changes is no reason for a new connection";
    harness.configure([](auto& settings) { settings.tls.server_name = "b"; });
    harness.data(text);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 5u);
    EXPECT_EQ(server.sessions.size(), 2u) << "what a connection is made with is one";
}

// Limits: policy_connect.
TEST(MirrorTimeouts, ToConnect) {
    ReplayHarness harness;
    BlackHole hole(harness.io);
    harness.breathe();
    harness.target.endpoints = {hole.endpoint()};
    harness.configure([](auto& settings) { settings.timeouts.connect = 3 * kSecond; });
    harness.data(get("/x"));
    harness.tick(2900 * kMillisecond);
    EXPECT_EQ(harness.row.in_flight.requests, 1u);
    harness.tick(200 * kMillisecond);
    EXPECT_EQ(harness.lost(Reason::connect_timeout), 1u);
}

// Limits: policy_response, policy_idle.
TEST(MirrorTimeouts, ToRespondAndToStayIdle) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    harness.configure([](auto& settings) {
        settings.timeouts.response = 30 * kSecond;
        settings.timeouts.idle = 2 * kSecond;
    });
    harness.data(get("/1"));
    harness.until([&] { return server.requests().size() == 1; });
    harness.tick(29 * kSecond);
    EXPECT_EQ(harness.row.in_flight.requests, 1u);
    harness.tick(2 * kSecond);
    EXPECT_EQ(harness.lost(Reason::response_timeout), 1u);
    server.on_request = kAnswer;
    harness.data(get("/2"));
    harness.settle();
    harness.tick(1900 * kMillisecond);
    EXPECT_EQ(harness.worker.connections, 1u);
    harness.tick(200 * kMillisecond);
    EXPECT_EQ(harness.worker.connections, 0u);
}

TEST(MirrorTimeouts, OfARawFlowThatTheMirrorDoesNotRead) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_accept = [](Session& session) { session.paused = true; };
    harness.mirror_to({&server});
    harness.configure([](auto& settings) { settings.timeouts.response = 2 * kSecond; });
    harness.data("*1\r\n$4\r\nPING\r\n");
    harness.data(noise(16 * 1024 * 1024));
    harness.breathe();
    EXPECT_GT(harness.worker.queued_bytes, 0u);
    harness.tick(3 * kSecond);
    EXPECT_GT(harness.lost_bytes(Reason::response_timeout), 0u);
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
}

}  // namespace
}  // namespace umbra
