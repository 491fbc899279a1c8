// Mirrors that fail, and what the ledger says of it.
#include <gtest/gtest.h>

#include "unit/replay/replay_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = ScriptedServer::Session;
using Strings = std::vector<std::string>;

TEST(Trouble, ADeadPortCostsCountedDropsThenTheBreakerSparesIt) {
    ReplayHarness harness;
    const Endpoint endpoint = dead_endpoint();
    harness.target.endpoints = {endpoint};
    for (int i = 0; i < 20; ++i) {
        harness.data(get("/" + std::to_string(i)));
        harness.settle();
    }
    EXPECT_EQ(harness.lost(Reason::connect_refused), 5u);
    EXPECT_EQ(harness.lost(Reason::breaker_open), 15u);
    EXPECT_EQ(harness.mirrored(), 0u);

    ScriptedServer server(harness.io, endpoint.port);
    harness.data(get("/early"));
    EXPECT_EQ(harness.lost(Reason::breaker_open), 16u);
    harness.tick(300 * kMillisecond);
    harness.data(get("/probe"));
    harness.settle();
    harness.data(get("/after"));
    harness.settle();
    EXPECT_EQ(server.requests(), (Strings{get("/probe"), get("/after")}));
}

TEST(Trouble, AnotherEndpointIsTriedWhenOneIsDead) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.target.endpoints = {dead_endpoint(), server.endpoint(), dead_endpoint()};
    for (std::size_t flow = 0; flow < 12; ++flow) {
        harness.data(get("/x"), flow);
        harness.settle();
    }
    EXPECT_EQ(harness.mirrored(), 12u);
}

// Limits: connect_timeout.
TEST(Trouble, ABlackHoleTimesOutAndWhatWaitedIsDropped) {
    ReplayHarness harness;
    BlackHole hole(harness.io);
    harness.breathe();
    harness.target.endpoints = {hole.endpoint()};
    harness.data(get("/1") + get("/2") + get("/3"));
    harness.breathe();
    harness.tick(900 * kMillisecond);
    EXPECT_EQ(harness.row.in_flight.requests, 3u);
    harness.tick(200 * kMillisecond);
    EXPECT_EQ(harness.lost(Reason::connect_timeout), 3u);
}

// Limits: response_timeout.
TEST(Trouble, AMirrorThatNeverAnswersTimesOut) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    harness.data(get("/1") + get("/2"));
    harness.until([&] { return server.requests().size() == 1; });
    harness.tick(14 * kSecond);
    EXPECT_EQ(harness.row.in_flight.requests, 2u);
    harness.tick(2 * kSecond);
    // The second waited as long: it is stale by now and not sent late.
    EXPECT_EQ(harness.lost(Reason::response_timeout), 2u);
    server.on_request = [](Session& session, const std::string&) {
        session.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    };
    harness.data(get("/3"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
    EXPECT_EQ(server.requests(), (Strings{get("/1"), get("/3")}));
}

TEST(Trouble, ADribblingAnswerIsProgress) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    harness.data(get("/"));
    harness.until([&] { return server.requests().size() == 1; });
    for (const char c : std::string("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")) {
        const std::uint64_t before = harness.worker.response_bytes;
        server.sessions[0]->send(std::string(1, c));
        harness.until([&] { return harness.worker.response_bytes > before; });
        harness.tick(10 * kSecond);
    }
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
}

TEST(Trouble, ASlowClientIsNotTheMirrorsFault) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    const std::string text = post("/slow", noise(200'000));
    for (std::size_t at = 0; at < text.size(); at += 20'000) {
        harness.data(text.substr(at, 20'000));
        harness.breathe();
        harness.tick(10 * kSecond);
        harness.tick(10 * kSecond);
    }
    harness.settle();
    EXPECT_EQ(server.requests(), Strings{text});
}

TEST(Trouble, AResetInsideARequestLosesThatRequestOnly) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_data = [&](Session& session) {
        if (server.sessions.size() == 1) session.reset();
    };
    harness.mirror_to({&server});
    harness.data(post("/big", noise(300'000)).substr(0, 100'000));
    harness.until([&] { return server.sessions.size() == 1 && !server.sessions[0]->socket.is_open(); });
    harness.breathe();
    const std::string text = post("/big", noise(300'000));
    harness.data(text.substr(100'000) + get("/next"));
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::mirror_reset), 1u);
    EXPECT_EQ(harness.lost_bytes(Reason::mirror_reset), text.size());
    EXPECT_EQ(harness.mirrored(), 1u);
    EXPECT_EQ(server.requests(), Strings{get("/next")});
}

TEST(Trouble, ClosingBeforeOrInsideTheAnswerLosesThatRequestOnly) {
    for (const std::string answer : {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"}) {
        ReplayHarness harness;
        ScriptedServer server(harness.io);
        int count = 0;
        server.on_request = [&](Session& session, const std::string&) {
            if (++count % 2 == 0) return session.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            if (!answer.empty()) session.send(answer);
            harness.until([&] { return session.out.empty(); });
            session.close();
        };
        harness.mirror_to({&server});
        harness.data(get("/1") + get("/2") + get("/3") + get("/4"));
        harness.settle();
        EXPECT_EQ(harness.lost(Reason::mirror_closed), 2u);
        EXPECT_EQ(harness.mirrored(), 2u);
        EXPECT_EQ(server.requests().size(), 4u) << "no request may be sent twice";
    }
}

TEST(Trouble, AnAnswerThatIsNotHttpIsCounted) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = [](Session& session, const std::string&) { session.send("SSH-2.0-x\r\n"); };
    harness.mirror_to({&server});
    harness.data(get("/1") + get("/2"));
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::response_invalid), 2u);
}

TEST(Trouble, SurplusAfterAnAnswerEndsTheConnectionNotTheRequest) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = [](Session& session, const std::string&) {
        session.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    };
    harness.mirror_to({&server});
    harness.data(get("/1") + get("/2"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
    EXPECT_EQ(server.sessions.size(), 2u);
}

TEST(Trouble, AnAnswerThatNobodyAskedForEndsTheIdleConnection) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    for (int i = 0; i < 2; ++i) {
        harness.data(get("/1"));
        harness.settle();
        server.sessions.back()->send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
        // Once the harness learns of it by an event, once only when the next request is sent.
        if (i == 0) harness.until([&] { return harness.worker.connections == 0; });
        harness.until([&] { return server.sessions.back()->out.empty(); });
    }
    harness.data(get("/2"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 3u);
    EXPECT_EQ(harness.worker.responses, 3u) << "what was not asked for is no response";
    EXPECT_EQ(server.sessions.size(), 3u);
}

TEST(Trouble, AnOutageOfAnEndpointThatManyWaitForIsProbedByOneAtATime) {
    ReplayHarness harness;
    auto hole = std::make_unique<BlackHole>(harness.io);
    harness.breathe();
    const Endpoint endpoint = hole->endpoint();
    harness.target.endpoints = {endpoint};
    constexpr std::size_t kFlows = 8;
    const auto all_send = [&] {
        for (std::size_t flow = 0; flow < kFlows; ++flow) harness.data(get("/1") + get("/2"), flow);
        harness.breathe();
    };
    all_send();
    EXPECT_EQ(harness.worker.connections, kFlows);
    harness.tick(1100 * kMillisecond);
    EXPECT_EQ(harness.lost(Reason::connect_timeout), 2 * kFlows) << "all that was ready, at once";
    for (const TimeNs pause : {200, 400, 800, 1600, 2000, 2000}) {
        const std::uint64_t opened = harness.worker.connections_opened;
        harness.tick((pause - 1) * kMillisecond);
        all_send();
        EXPECT_EQ(harness.worker.connections_opened, opened) << "left alone for " << pause;
        EXPECT_EQ(harness.row.in_flight.requests, 0u);
        harness.tick(1 * kMillisecond);
        all_send();
        EXPECT_EQ(harness.worker.connections_opened, opened + 1) << pause;
        EXPECT_EQ(harness.row.in_flight.requests, 2u) << "only what waits for the probe";
        harness.tick(1100 * kMillisecond);
        EXPECT_EQ(harness.row.in_flight.requests, 0u);
    }
    hole.reset();
    ScriptedServer server(harness.io, endpoint.port);
    harness.tick(2 * kSecond);
    all_send();
    harness.settle();
    EXPECT_EQ(server.requests(), (Strings{get("/1"), get("/2")})) << "nothing stale, and only what the probe was for";
    all_send();
    harness.settle();
    EXPECT_EQ(server.requests().size(), 2 + 2 * kFlows);
}

TEST(Trouble, AGapLeavesNothingOfASmallRequest) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.data(get("/a") + post("/b", noise(50'000)).substr(0, 40'000));
    harness.gap();
    harness.settle();
    harness.breathe();
    EXPECT_EQ(server.received(), get("/a"));
    EXPECT_EQ(harness.lost(Reason::gap), 1u);
}

TEST(Trouble, AGapInALargeRequestResetsItsConnection) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    const std::string text = post("/b", noise(500'000));
    const auto rest = static_cast<std::uint32_t>(text.size() - 400'000);
    harness.data_in_pieces(text.substr(0, 400'000), 1448);
    harness.until([&] { return server.received().size() == 400'000; });
    harness.gap(rest);
    harness.until([&] { return server.sessions[0]->was_reset; });
    EXPECT_TRUE(server.requests().empty());
    EXPECT_EQ(harness.lost(Reason::gap), 1u);
    EXPECT_EQ(harness.lost_bytes(Reason::gap), 400'000u);
    harness.data(get("/c"));
    harness.settle();
    EXPECT_EQ(server.requests(), Strings{get("/c")});
}

TEST(Trouble, ShutdownDropsWhatIsUnfinished) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    harness.data(get("/1") + get("/2") + post("/3", noise(50'000)).substr(0, 10'000));
    harness.until([&] { return server.requests().size() == 1; });
    harness.replayer->shutdown(harness.now);
    EXPECT_EQ(harness.lost(Reason::shutdown), 3u);
    EXPECT_EQ(harness.worker.connections, 0u);
    harness.data(noise(100));
    harness.close();
    EXPECT_EQ(harness.row.in_flight.bytes, 0u);
}

}  // namespace
}  // namespace umbra
