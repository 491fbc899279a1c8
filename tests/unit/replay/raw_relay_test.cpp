// Raw streams and upgraded connections.
#include <gtest/gtest.h>

#include <asio.hpp>

#include "unit/replay/replay_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = ScriptedServer::Session;

const std::string kPing = "*1\r\n$4\r\nPING\r\n";

TEST(RawRelay, BytesArriveAsTheyCameAndTheHalfCloseWithThem) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_data = [](Session& session) { session.send("+PONG\r\n"); };
    server.on_end = [](Session& session) { session.close(); };
    harness.mirror_to({&server});
    const std::string text = kPing + noise(3'000'000);
    harness.data_in_pieces(text, 30'000);
    harness.close();
    harness.until([&] { return !server.sessions.empty() && server.sessions[0]->finished; });
    EXPECT_EQ(server.received(), text);
    EXPECT_EQ(harness.row.mirrored.bytes, text.size());
    EXPECT_EQ(harness.row.mirrored.flows, 1u);
    harness.until([&] { return harness.worker.connections == 0; });
}

// Its greeting is there before we have seen that the connection is made.
TEST(RawRelay, AMirrorThatSpeaksFirstKeepsItsConnection) {
    ReplayHarness harness;
    asio::ip::tcp::acceptor server(harness.io, {asio::ip::address_v4::loopback(), 0});
    const auto local = server.local_endpoint();
    harness.target.endpoints = {*Endpoint::parse("127.0.0.1:" + std::to_string(local.port()))};
    harness.data(kPing);
    asio::ip::tcp::socket peer = server.accept();
    asio::write(peer, asio::buffer(std::string("220 hello\r\n")));
    harness.until([&] { return harness.row.mirrored.bytes == kPing.size(); });
    std::string received(kPing.size(), ' ');
    asio::read(peer, asio::buffer(received));
    EXPECT_EQ(received, kPing);
    EXPECT_EQ(harness.worker.connections_opened, 1u);
    peer.close();
}

TEST(RawRelay, TheAnswerAfterAHalfCloseIsStillRead) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_end = [&](Session& session) {
        session.send(std::string(5'000'000, 'x'));
        harness.until([&] { return session.out.empty(); });
        session.close();
    };
    harness.mirror_to({&server});
    harness.data(kPing);
    harness.close();
    harness.until([&] { return harness.worker.connections == 0 && harness.worker.connections_opened == 1; });
    EXPECT_EQ(harness.worker.response_bytes, 5'000'000u);
}

TEST(RawRelay, AClientResetStillDeliversWhatWasTaken) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.data(kPing);
    harness.close(CloseKind::reset);
    harness.until([&] { return !server.sessions.empty() && server.sessions[0]->finished; });
    EXPECT_EQ(server.received(), kPing);
    server.sessions[0]->close();
    harness.until([&] { return harness.worker.connections == 0; });
}

TEST(RawRelay, AGapResetsTheMirrorsConnection) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.data(kPing);
    harness.until([&] { return server.received() == kPing; });
    harness.gap();
    harness.until([&] { return server.sessions[0]->was_reset; });
    harness.data("rest");
    EXPECT_EQ(harness.lost_bytes(Reason::gap), 4u);
}

TEST(RawRelay, ADeadMirrorDropsTheFlow) {
    ReplayHarness harness;
    {
        ScriptedServer gone(harness.io);
        harness.mirror_to({&gone});
    }
    harness.data(kPing);
    harness.until([&] { return harness.row.in_flight.bytes == 0; });
    harness.data(kPing);
    EXPECT_EQ(harness.lost_bytes(Reason::connect_refused), 2 * kPing.size());
}

TEST(RawRelay, AMirrorThatEndsTheConnectionLosesTheRest) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_data = [](Session& session) { session.close(); };
    harness.mirror_to({&server});
    harness.data(kPing);
    harness.until([&] { return !server.sessions.empty() && !server.sessions[0]->socket.is_open(); });
    for (int i = 0; i < 5; ++i) {
        harness.data(kPing);
        harness.breathe();
    }
    EXPECT_GE(harness.lost_bytes(Reason::mirror_closed) + harness.lost_bytes(Reason::mirror_reset), 3 * kPing.size());
    EXPECT_EQ(harness.row.in_flight.bytes, 0u);
    EXPECT_EQ(server.sessions.size(), 1u) << "a raw stream is never begun again in the middle";
}

TEST(RawRelay, AMirrorThatStopsReadingHitsTheFlowsQueue) {
    ReplayLimits limits;
    limits.flow_queue_bytes = 1024 * 1024;
    ReplayHarness harness(limits);
    ScriptedServer server(harness.io);
    server.on_accept = [](Session& session) { session.paused = true; };
    harness.mirror_to({&server});
    harness.data(kPing);
    const std::string block = noise(512 * 1024);
    for (int i = 0; i < 100; ++i) {
        harness.data(block);
        harness.io.poll();
        ASSERT_LE(harness.worker.queued_bytes, limits.flow_queue_bytes);
    }
    EXPECT_GT(harness.lost_bytes(Reason::flow_queue), 40 * block.size());
    EXPECT_EQ(harness.row.in_flight.bytes, 0u);
}

TEST(RawRelay, AnIdleStreamIsKept) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.data(kPing);
    harness.until([&] { return server.received() == kPing; });
    for (int i = 0; i < 20; ++i) harness.tick(100 * kSecond);
    harness.data(kPing);
    harness.until([&] { return server.received() == kPing + kPing; });
    harness.close();
    harness.tick(16 * kSecond);
    EXPECT_EQ(harness.worker.connections, 0u) << "lingering is bounded";
}

TEST(RawRelay, TheRouterMayRefuseOrRename) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.router.choice.row = nullptr;
    harness.router.choice.reason = Reason::unmatched;
    harness.data(kPing, 0);
    EXPECT_EQ(harness.lost_bytes(Reason::unmatched), kPing.size());
    umbra_ledger_row other{};
    harness.router.choice.row = &other;
    harness.data(kPing, 1);
    harness.until([&] { return other.mirrored.bytes == kPing.size(); });
    EXPECT_EQ(harness.lost_bytes(Reason::other_rule), kPing.size());
    expect_closed(other);
}

const std::string kUpgrade = "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const std::string kSwitching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

TEST(Upgraded, RawBytesFollowOnTheSameConnection) {
    for (const bool early : {true, false}) {
        ReplayHarness harness;
        ScriptedServer server(harness.io);
        server.on_request = [](Session& session, const std::string&) { session.send(kSwitching + "\x81\x02hi"); };
        harness.mirror_to({&server});
        harness.data(kUpgrade);
        if (!early) harness.settle();
        harness.server_says("HTTP/1.1 101 Swi");
        harness.data("frame one");
        harness.data(" frame two");
        harness.until([&] { return server.received() == kUpgrade + "frame one frame two"; });
        harness.close();
        harness.until([&] { return server.sessions[0]->finished; });
        EXPECT_EQ(server.sessions.size(), 1u);
        EXPECT_EQ(harness.mirrored(), 1u);
        server.stop();
        harness.until([&] { return harness.worker.connections == 0; });
    }
}

TEST(Upgraded, ASwitchToHttp2IsSettledAndItsConnectionClosed) {
    const std::string upgrade =
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
        "AAMAAABk\r\n\r\n";
    for (const bool answered_first : {true, false}) {
        ReplayHarness harness;
        ScriptedServer server(harness.io);
        server.on_request = [](Session& session, const std::string&) {
            session.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" +
                         std::string("\0\0\0\4\0\0\0\0\0", 9));
        };
        harness.mirror_to({&server});
        harness.data(upgrade);
        if (answered_first) harness.settle();
        harness.flows[0]->sink->close(CloseKind::abandoned, Reason::h2_upgrade, harness.now);
        harness.settle();
        EXPECT_EQ(harness.mirrored(), 1u);
        EXPECT_EQ(harness.row.mirrored.bytes, upgrade.size());
        EXPECT_EQ(harness.worker.connections, 0u);
        EXPECT_EQ(server.received(), upgrade);
    }
}

TEST(Upgraded, WhatIsGivenUpWhileItWaitsLeavesTheRequestAlone) {
    ReplayLimits limits;
    limits.flow_queue_bytes = 1000;
    ReplayHarness harness(limits);
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    harness.data(kUpgrade);
    harness.server_says("HTTP/1.1 101 Swi");
    harness.data("frame");
    harness.data(noise(2000));
    EXPECT_EQ(harness.lost_bytes(Reason::flow_queue), 2005u);
    harness.until([&] { return server.requests().size() == 1; });
    EXPECT_EQ(harness.row.in_flight.requests, 1u);
    server.sessions[0]->send(kSwitching);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
    EXPECT_EQ(server.received(), kUpgrade);
    EXPECT_EQ(harness.worker.connections, 0u);
}

TEST(Upgraded, WhatTheMirrorRefusesIsDropped) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.data(kUpgrade);
    harness.server_says("HTTP/1.1 101 Swi");
    harness.data("frame");
    harness.settle();
    harness.until([&] { return harness.row.in_flight.bytes == 0; });
    harness.data("frame");
    EXPECT_EQ(server.received(), kUpgrade);
    EXPECT_EQ(harness.mirrored(), 1u);
    EXPECT_EQ(harness.lost_bytes(Reason::upgrade_refused), 10u);
}

TEST(Upgraded, WhatOnlyTheMirrorSwitchedIsLeftBehind) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = [](Session& session, const std::string& request) {
        session.send(request == kUpgrade ? kSwitching : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    };
    harness.mirror_to({&server});
    harness.data(kUpgrade);
    harness.settle();
    harness.server_says("HTTP/1.1 200 OK\r");
    harness.data(get("/next"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
    EXPECT_EQ(server.sessions.size(), 2u);
}

TEST(Upgraded, ALostUpgradeRequestLosesTheStream) {
    ReplayHarness harness;
    {
        ScriptedServer gone(harness.io);
        harness.mirror_to({&gone});
    }
    harness.data(kUpgrade);
    harness.server_says("HTTP/1.1 101 Swi");
    harness.data("frame");
    harness.until([&] { return harness.row.in_flight.bytes == 0; });
    EXPECT_EQ(harness.lost_bytes(Reason::connect_refused), kUpgrade.size() + 5);
}

}  // namespace
}  // namespace umbra
