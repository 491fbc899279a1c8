// Order by request: requests spread over a pool of the mirror's connections.
#include <gtest/gtest.h>

#include <set>

#include "unit/replay/replay_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = ScriptedServer::Session;
using Strings = std::vector<std::string>;

const ScriptedServer::Answer kAnswer = [](Session& session, const std::string&) { session.send(kOk); };

class Pool : public testing::Test {
protected:
    explicit Pool(const ReplayLimits& limits = {}) : harness(limits) {
        harness.mirror_to({&server});
        configure([](auto& settings) { settings.order = rules::Order::request; });
    }
    void configure(const std::function<void(rules::MirrorSettings&)>& change) { harness.configure(change); }
    void at_most(std::uint32_t connections) {
        configure([&](auto& settings) { settings.limits.connections = connections; });
    }
    static std::string numbered(int first, int last) {
        std::string out;
        for (int i = first; i <= last; ++i) out += get("/" + std::to_string(i));
        return out;
    }
    std::multiset<std::string> arrived() {
        const Strings all = server.requests();
        return {all.begin(), all.end()};
    }
    ReplayHarness harness;
    ScriptedServer server{harness.io};
};

TEST_F(Pool, RequestsOfOneClientDoNotWaitForEachOther) {
    server.on_request = nullptr;
    harness.data(numbered(1, 5));
    harness.until([&] { return server.requests().size() == 5; });
    EXPECT_EQ(server.sessions.size(), 5u);
    EXPECT_EQ(harness.worker.connections, 5u);
    for (const auto& session : server.sessions) session->send(kOk);
    harness.settle();
    server.on_request = kAnswer;
    harness.data(numbered(6, 10));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 10u);
    EXPECT_EQ(server.sessions.size(), 5u) << "connections return to the pool";
    EXPECT_EQ(arrived().size(), 10u);
    harness.close();
    harness.data(numbered(11, 12), 1);
    harness.settle();
    EXPECT_EQ(server.sessions.size(), 5u) << "for every client";
}

TEST_F(Pool, RequestsWaitInOrderWhereTheConnectionsAreBounded) {
    at_most(2);
    std::string stream;
    Strings sent;
    for (int i = 0; i < 40; ++i) {
        sent.push_back(i % 3 ? get("/" + std::to_string(i)) : post("/" + std::to_string(i), noise(i * 500)));
        stream += sent.back();
    }
    Strings order;
    server.on_request = [&](Session& session, const std::string& request) {
        order.push_back(request.substr(0, request.find(" HTTP")));
        session.send(kOk);
        EXPECT_LE(harness.worker.connections, 2u);
    };
    harness.data(stream);
    EXPECT_GT(harness.worker.queued_bytes, 0u);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 40u);
    EXPECT_EQ(server.sessions.size(), 2u);
    EXPECT_TRUE(arrived() == std::multiset<std::string>(sent.begin(), sent.end()));
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
}

TEST_F(Pool, TheFirstToWaitIsTheFirstServed) {
    at_most(1);
    for (int i = 0; i < 20; ++i) harness.data(get("/" + std::to_string(i)), static_cast<std::size_t>(i % 4));
    harness.settle();
    ASSERT_EQ(server.requests().size(), 20u);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(server.requests()[i], get("/" + std::to_string(i)));
    EXPECT_EQ(server.sessions.size(), 1u);
}

TEST_F(Pool, LargeRequestsKeepTheirOrderWithin) {
    at_most(2);
    const Strings texts = {post("/a", noise(700'000)), post("/b", noise(600'000)), post("/c", noise(500'000))};
    for (std::size_t at = 0; at < 700'100; at += 50'000) {
        for (std::size_t flow = 0; flow < 3; ++flow) {
            if (at < texts[flow].size()) harness.data(texts[flow].substr(at, 50'000), flow);
        }
        harness.io.poll();
    }
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 3u);
    EXPECT_TRUE(arrived() == std::multiset<std::string>(texts.begin(), texts.end()));
}

TEST_F(Pool, WhatWaitsTooLongIsNotSentLate) {
    at_most(1);
    server.on_request = nullptr;
    harness.data(numbered(1, 3));
    harness.data(post("/4", noise(100'000)).substr(0, 90'000), 1);
    harness.until([&] { return server.requests().size() == 1; });
    harness.tick(14 * kSecond);
    EXPECT_EQ(harness.row.in_flight.requests, 4u);
    harness.tick(2 * kSecond);
    EXPECT_EQ(harness.lost(Reason::response_timeout), 4u);
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
    EXPECT_EQ(server.received(), get("/1"));
    server.on_request = kAnswer;
    harness.data(get("/5"), 2);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
}

TEST_F(Pool, AConnectionThatIsLostMakesRoomForTheNext) {
    at_most(1);
    int count = 0;
    server.on_request = [&](Session& session, const std::string&) {
        if (++count % 2) return session.reset();
        session.send(kOk);
    };
    harness.data(numbered(1, 10));
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::mirror_reset), 5u);
    EXPECT_EQ(harness.mirrored(), 5u);
    EXPECT_EQ(server.requests().size(), 10u) << "no request may be sent twice";
}

TEST_F(Pool, AMirrorThatClosesAfterEachAnswer) {
    at_most(2);
    server.on_request = [&](Session& session, const std::string&) {
        session.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        harness.until([&] { return session.out.empty(); });
        session.close();
    };
    harness.data(numbered(1, 12));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 12u);
    EXPECT_EQ(server.sessions.size(), 12u);
}

TEST_F(Pool, TheClientsWishForTheEndEndsTheConnection) {
    harness.data(get("/1", "Connection: close\r\n"));
    harness.settle();
    harness.until([&] { return server.sessions[0]->finished; });
    harness.data(get("/2"), 1);
    harness.settle();
    EXPECT_EQ(server.sessions.size(), 2u);
}

TEST_F(Pool, IdleConnectionsThatTheMirrorClosedOrSpokeOnAreReplacedWithoutLoss) {
    for (int i = 0; i < 6; ++i) {
        harness.data(get("/" + std::to_string(i)));
        harness.settle();
        auto& session = *server.sessions.back();
        i % 3 == 2 ? session.send(kOk) : session.close();
        harness.until([&] { return session.out.empty(); });
        if (i % 2) harness.until([&] { return harness.worker.connections == 0; });
    }
    EXPECT_EQ(harness.mirrored(), 6u);
    EXPECT_EQ(harness.worker.responses, 6u);
    EXPECT_EQ(server.sessions.size(), 6u);
}

TEST_F(Pool, IdleConnectionsAreClosedInTime) {
    configure([](auto& settings) { settings.timeouts.idle = 5 * kSecond; });
    harness.data(numbered(1, 3));
    harness.settle();
    const auto open = harness.worker.connections;
    EXPECT_GT(open, 0u);
    harness.tick(4 * kSecond);
    EXPECT_EQ(harness.worker.connections, open);
    harness.tick(2 * kSecond);
    EXPECT_EQ(harness.worker.connections, 0u);
}

TEST_F(Pool, AnOutageShedsAllThatWaitsAtOnce) {
    at_most(2);
    const Endpoint endpoint = server.endpoint();
    server.on_request = nullptr;
    harness.data(numbered(1, 20));
    harness.until([&] { return server.requests().size() == 2; });
    server.stop();
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 0u);
    EXPECT_GT(harness.lost(Reason::connect_refused) + harness.lost(Reason::breaker_open), 10u);
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
    const std::uint64_t opened = harness.worker.connections_opened;
    const std::uint64_t shed = harness.lost(Reason::breaker_open);
    harness.data(numbered(21, 30));
    EXPECT_EQ(harness.lost(Reason::breaker_open), shed + 10);
    EXPECT_EQ(harness.worker.connections_opened, opened);
    ScriptedServer back(harness.io, endpoint.port);
    harness.tick(200 * kMillisecond);
    harness.data(numbered(31, 34));
    harness.settle();
    EXPECT_EQ(back.requests(), Strings{get("/31")}) << "one probe, the rest is shed";
    harness.data(numbered(35, 38));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 5u);
}

TEST_F(Pool, UpgradesAndRawFlowsHaveConnectionsOfTheirOwn) {
    const std::string upgrade = "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    server.on_request = [&](Session& session, const std::string& request) {
        session.send(request == upgrade ? "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" : kOk);
    };
    harness.data(get("/1"));
    harness.server_says("HTTP/1.1 200 OK\r");
    harness.settle();
    harness.data(upgrade);
    harness.server_says("HTTP/1.1 101 Swi");
    harness.data("frame");
    harness.until([&] { return server.sessions.size() == 2 && server.sessions[1]->received == upgrade + "frame"; });
    harness.data("*1\r\n$4\r\nPING\r\n", 1);
    harness.until([&] { return server.sessions.size() == 3 && !server.sessions[2]->received.empty(); });
    harness.data(get("/2"), 2);
    harness.settle();
    EXPECT_EQ(server.sessions[0]->received, get("/1") + get("/2"));
    EXPECT_EQ(server.sessions[1]->received, upgrade + "frame");
    EXPECT_EQ(server.sessions[2]->received, "*1\r\n$4\r\nPING\r\n");
}

TEST_F(Pool, AClientThatLeavesLosesNothingThatWasWhole) {
    at_most(1);
    harness.data(numbered(1, 5) + post("/6", noise(50'000)).substr(0, 1'000));
    harness.close(CloseKind::reset);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 5u);
    EXPECT_EQ(harness.lost(Reason::client_reset), 1u);
}

TEST_F(Pool, AGapInALargeRequestResetsItsConnectionOnly) {
    server.on_request = nullptr;
    harness.data(get("/other"), 1);
    harness.until([&] { return server.requests().size() == 1; });
    const std::string text = post("/b", noise(500'000));
    harness.data_in_pieces(text.substr(0, 400'000), 1'448);
    harness.until([&] { return server.received().size() == 400'000 + get("/other").size(); });
    harness.gap(static_cast<std::uint32_t>(text.size() - 400'000));
    harness.until([&] { return server.sessions[1]->was_reset; });
    EXPECT_EQ(harness.lost(Reason::gap), 1u);
    server.sessions[0]->send(kOk);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
}

TEST_F(Pool, AGapInARequestThatWaitsLeavesItsPlace) {
    at_most(1);
    server.on_request = nullptr;
    harness.data(get("/1"), 1);
    harness.until([&] { return server.requests().size() == 1; });
    harness.data_in_pieces(post("/b", noise(500'000)).substr(0, 100'000), 20'000);
    harness.data(get("/2"), 1);
    harness.gap();
    EXPECT_EQ(harness.lost(Reason::gap), 1u);
    server.on_request = kAnswer;
    server.sessions[0]->send(kOk);
    harness.settle();
    EXPECT_EQ(server.received(), get("/1") + get("/2"));
}

TEST_F(Pool, ShutdownDropsWhatWaits) {
    at_most(1);
    server.on_request = nullptr;
    harness.data(numbered(1, 5));
    harness.until([&] { return server.requests().size() == 1; });
    harness.replayer->shutdown(harness.now);
    EXPECT_EQ(harness.lost(Reason::shutdown), 5u);
    EXPECT_EQ(harness.worker.connections, 0u);
    EXPECT_TRUE(harness.replayer->drained());
    harness.data(get("/late"));
    EXPECT_EQ(harness.lost(Reason::shutdown), 6u);
}

TEST_F(Pool, AReplayerMayGoWhileItsRequestsWait) {
    at_most(1);
    server.on_request = [](Session& session, const std::string&) { session.send(kOk); };
    harness.data(numbered(1, 50));
    harness.until([&] { return harness.mirrored() >= 3; });
    harness.flows.clear();
    harness.replayer.reset();
    harness.breathe();
    EXPECT_EQ(harness.mirrored() + harness.lost(Reason::shutdown), 50u);
}

TEST_F(Pool, ANewPlanStartsAPoolOfItsOwn) {
    server.on_request = nullptr;
    harness.data(get("/1"));
    harness.until([&] { return server.requests().size() == 1; });
    configure([](auto& settings) { settings.tls.server_name = "b"; });
    server.on_request = kAnswer;
    harness.data(get("/2"));
    harness.until([&] { return harness.mirrored() == 1; });
    server.sessions[0]->send(kOk);
    harness.settle();
    harness.data(numbered(3, 3));
    harness.settle();
    EXPECT_EQ(server.sessions[0]->received, get("/1"));
    EXPECT_EQ(server.sessions[1]->received, get("/2") + get("/3"));
    configure([](auto& settings) { settings.order = rules::Order::connection; });
    harness.data(get("/4"));
    harness.settle();
    EXPECT_EQ(server.sessions.size(), 3u);
}

TEST_F(Pool, EndpointsTakeTurnsByRequest) {
    ScriptedServer other(harness.io);
    harness.mirror_to({&server, &other});
    for (int i = 0; i < 10; ++i) {
        harness.data(get("/x"));
        harness.settle();
    }
    EXPECT_EQ(server.requests().size(), 5u);
    EXPECT_EQ(other.requests().size(), 5u);
    EXPECT_EQ(server.sessions.size() + other.sessions.size(), 2u);
    at_most(1);
    for (int i = 0; i < 10; ++i) {
        harness.data(get("/y"));
        harness.settle();
    }
    EXPECT_EQ(harness.mirrored(), 20u);
    EXPECT_EQ(server.sessions.size() + other.sessions.size(), 3u) << "one connection serves any endpoint";
}

TEST_F(Pool, ClientsWithAnEndpointOfTheirOwnShareNoOther) {
    ScriptedServer other(harness.io);
    harness.mirror_to({&server, &other});
    configure([](auto& settings) { settings.balance = rules::Balance::client_hash; });
    harness.client_address = [](std::size_t flow) {
        const std::uint8_t four[] = {10, 0, 1, static_cast<std::uint8_t>(flow % 8)};
        return IpAddress::v4(four);
    };
    for (std::size_t flow = 0; flow < 32; ++flow) {
        harness.data(get("/" + std::to_string(flow % 8)), flow);
        harness.settle();
    }
    const Strings here = server.requests(), there = other.requests();
    EXPECT_EQ(here.size() + there.size(), 32u);
    EXPECT_FALSE(here.empty());
    EXPECT_FALSE(there.empty());
    for (const std::string& request : here) EXPECT_EQ(std::count(there.begin(), there.end(), request), 0);
}

TEST_F(Pool, TheGuardIsToldOfItsConnectionsOnly) {
    harness.data(get("/1"));
    harness.settle();
    harness.router.choice.guard = true;
    harness.data(get("/2"));
    harness.settle();
    EXPECT_EQ(harness.own.now.size(), 1u);
    EXPECT_EQ(server.sessions.size(), 2u);
}

class SmallPool : public Pool {
protected:
    static ReplayLimits limits() {
        ReplayLimits out;
        out.flow_requests = 4;
        out.connections = 2;
        return out;
    }
    SmallPool() : Pool(limits()) {}
};

TEST_F(SmallPool, TheNumberThatWaitsIsBounded) {
    at_most(1);
    server.on_request = nullptr;
    harness.data(get("/1"));
    harness.until([&] { return server.requests().size() == 1; });
    harness.data(numbered(2, 8));
    EXPECT_EQ(harness.lost(Reason::mirror_queue), 3u);
    server.on_request = kAnswer;
    server.sessions[0]->send(kOk);
    harness.settle();
    EXPECT_EQ(server.received(), numbered(1, 5));
}

TEST_F(SmallPool, PastTheWorkersConnectionsRequestsAreShed) {
    server.on_request = nullptr;
    harness.data(numbered(1, 4));
    EXPECT_EQ(harness.lost(Reason::connection_limit), 2u);
    harness.until([&] { return server.requests().size() == 2; });
    EXPECT_EQ(harness.worker.connections, 2u);
}

TEST_F(SmallPool, IdleConnectionsMakeRoomForAnotherMirror) {
    harness.data(numbered(1, 2));
    harness.settle();
    EXPECT_EQ(harness.worker.connections, 2u);
    ScriptedServer other(harness.io);
    harness.mirror_to({&other});
    harness.data(numbered(3, 4), 1);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 4u);
    EXPECT_LE(harness.worker.connections, 2u);
}

}  // namespace
}  // namespace umbra
