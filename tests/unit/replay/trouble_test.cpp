// Mirrors that fail, and what the ledger says of it.
#include <gtest/gtest.h>

#include "unit/replay/replay_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = ScriptedServer::Session;
using Strings = std::vector<std::string>;

Endpoint dead_endpoint() {
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
    return *Endpoint::parse("127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
}

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

TEST(Trouble, ABlackHoleTimesOutAndWhatWaitedIsDropped) {
    ReplayHarness harness;
    asio::ip::tcp::acceptor full(harness.io, {asio::ip::make_address("127.0.0.1"), 0});
    full.listen(0);
    std::vector<asio::ip::tcp::socket> fillers;
    for (int i = 0; i < 4; ++i) {
        fillers.emplace_back(harness.io);
        fillers.back().async_connect(full.local_endpoint(), [](std::error_code) {});
    }
    harness.breathe();
    harness.target.endpoints = {*Endpoint::parse("127.0.0.1:" + std::to_string(full.local_endpoint().port()))};
    harness.data(get("/1") + get("/2") + get("/3"));
    harness.breathe();
    harness.tick(900 * kMillisecond);
    EXPECT_EQ(harness.row.in_flight.requests, 3u);
    harness.tick(200 * kMillisecond);
    EXPECT_EQ(harness.lost(Reason::connect_timeout), 3u);
}

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
