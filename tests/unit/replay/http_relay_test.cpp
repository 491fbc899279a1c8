// Requests to a mirror that answers: order, connections, every kind of response.
#include <gtest/gtest.h>

#include "unit/replay/replay_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = ScriptedServer::Session;
using Strings = std::vector<std::string>;

TEST(HttpRelay, PipelinedRequestsArriveInOrderOnOneConnection) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    Strings sent;
    std::string stream;
    for (int i = 0; i < 100; ++i) {
        sent.push_back(i % 2 ? get("/" + std::to_string(i)) : post("/" + std::to_string(i), noise(i * 37)));
        stream += sent.back();
    }
    harness.data(stream);
    harness.settle();
    EXPECT_EQ(server.requests(), sent);
    EXPECT_EQ(server.sessions.size(), 1u);
    EXPECT_EQ(harness.mirrored(), 100u);
    EXPECT_EQ(harness.row.mirrored.bytes, stream.size());
    EXPECT_EQ(harness.worker.responses, 100u);
    EXPECT_EQ(harness.worker.connections_opened, 1u);
    EXPECT_EQ(harness.worker.connections, 1u);
}

TEST(HttpRelay, Ipv6MirrorsAreReached) {
    ReplayHarness harness;
    std::unique_ptr<ScriptedServer> server;
    try {
        server = std::make_unique<ScriptedServer>(harness.io, std::uint16_t{0}, "::1");
    } catch (const std::system_error&) {
        GTEST_SKIP() << "ipv6: no ::1 on this host";
    }
    harness.mirror_to({server.get()});
    harness.router.choice.guard = true;
    harness.data(get("/six"));
    harness.settle();
    EXPECT_EQ(server->requests(), Strings{get("/six")});
    ASSERT_EQ(harness.own.now.size(), 1u);
    const auto peer = server->sessions[0]->socket.remote_endpoint();
    EXPECT_EQ(harness.own.now.begin()->client, (Endpoint{*IpAddress::parse("::1"), peer.port()}));
}

TEST(HttpRelay, TheNextRequestWaitsForTheResponse) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    harness.data(get("/1") + get("/2"));
    harness.until([&] { return server.requests().size() == 1; });
    harness.breathe();
    EXPECT_EQ(server.received(), get("/1"));
    server.sessions[0]->send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab");
    harness.breathe();
    EXPECT_EQ(server.received(), get("/1"));
    server.sessions[0]->send("c");
    harness.until([&] { return server.requests().size() == 2; });
    server.sessions[0]->send("HTTP/1.1 204 No Content\r\n\r\n");
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
}

struct ResponseCase {
    const char* name;
    std::string method;
    std::string response;
    bool close;
};

class Responses : public testing::TestWithParam<ResponseCase> {};

TEST_P(Responses, AreReadToTheirEndAndTheNextRequestFollows) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = [&](Session& session, const std::string&) {
        session.send(GetParam().response);
        if (!GetParam().close) return;
        harness.until([&] { return session.out.empty(); });
        session.close();
    };
    harness.mirror_to({&server});
    const std::string request = GetParam().method + " / HTTP/1.1\r\nHost: a\r\n\r\n";
    harness.data(request + request + request);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 3u);
    EXPECT_EQ(server.requests(), (Strings{request, request, request}));
    EXPECT_EQ(server.sessions.size(), GetParam().close ? 3u : 1u);
}

const ResponseCase kResponses[] = {
    {"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", false},
    {"head", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", false},
    {"no_content", "DELETE", "HTTP/1.1 204 No Content\r\n\r\n", false},
    {"not_modified", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", false},
    {"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", false},
    {"interim", "GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
    {"many_interim", "GET",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
     false},
    {"interim_head", "HEAD", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", false},
    {"interim_no_content", "GET", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", false},
    {"error", "GET", "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nbody", false},
    {"says_close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody", true},
    {"until_close", "GET", "HTTP/1.1 200 OK\r\n\r\nbody", true},
    {"http10", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", true},
};

INSTANTIATE_TEST_SUITE_P(Cases, Responses, testing::ValuesIn(kResponses),
                         [](const auto& row) { return row.param.name; });

TEST(HttpRelay, AKeptConnectionThatTheMirrorClosedIsReplacedWithoutLoss) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    for (int i = 0; i < 5; ++i) {
        harness.data(get("/" + std::to_string(i)));
        harness.settle();
        // One closes and the harness learns of it by an event, or only when the next request is sent.
        server.sessions.back()->close();
        if (i % 2) harness.breathe();
    }
    EXPECT_EQ(harness.mirrored(), 5u);
    EXPECT_EQ(server.sessions.size(), 5u);
}

TEST(HttpRelay, LargeRequestsStreamWhileTheyArrive) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    const std::string text = post("/big", noise(8 * 1024 * 1024));
    harness.data_in_pieces(text.substr(0, 4'000'000), 64 * 1024);
    harness.until([&] { return server.received().size() > 3'000'000; });
    harness.data_in_pieces(text.substr(4'000'000), 1448);
    harness.settle();
    EXPECT_EQ(server.requests(), Strings{text});
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
}

TEST(HttpRelay, SmallRequestsAreHeldUntilWhole) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    const std::string text = post("/a", noise(60'000));
    harness.data(text.substr(0, 50'000));
    harness.breathe();
    EXPECT_TRUE(server.sessions.empty());
    harness.data(text.substr(50'000));
    harness.settle();
    EXPECT_EQ(server.requests(), Strings{text});
}

TEST(HttpRelay, AnEarlyAnswerDoesNotStopTheBody) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    bool answered = false;
    server.on_request = nullptr;
    server.on_data = [&](Session& session) {
        if (!answered) session.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        answered = true;
    };
    harness.mirror_to({&server});
    const std::string text = post("/big", noise(1'000'000));
    harness.data(text.substr(0, 200'000));
    harness.until([&] { return harness.worker.responses == 1; });
    EXPECT_EQ(harness.mirrored(), 0u);
    harness.data(text.substr(200'000));
    harness.settle();
    harness.until([&] { return server.requests().size() == 1; });
    EXPECT_EQ(server.requests(), Strings{text});
    EXPECT_EQ(harness.mirrored(), 1u);
}

TEST(HttpRelay, AContinueBeforeTheBodyAndAnEarlyAnswerThatClosesAreNoCompleteRequest) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    server.on_data = [&](Session& session) {
        if (server.sessions.size() > 1) return session.send(kOk);
        session.send(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        harness.until([&] { return session.out.empty(); });
        session.close();
    };
    harness.mirror_to({&server});
    const std::string text = post("/big", noise(3'000'000));
    harness.data_in_pieces(text.substr(0, 200'000), 50'000);
    harness.until([&] { return harness.lost(Reason::mirror_reset) + harness.lost(Reason::mirror_closed) == 1; });
    harness.data(text.substr(200'000) + get("/next"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
    EXPECT_EQ(server.sessions[1]->received, get("/next"));
}

TEST(HttpRelay, TheClientsWishForTheEndEndsTheConnection) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    harness.data(get("/1") + get("/2", "Connection: close\r\n"));
    harness.settle();
    harness.until([&] { return server.sessions[0]->finished; });
    EXPECT_EQ(harness.mirrored(), 2u);
    EXPECT_EQ(harness.worker.connections, 0u);
}

TEST(HttpRelay, EndpointsTakeTurnsByFlow) {
    ReplayHarness harness;
    ScriptedServer a(harness.io), b(harness.io), c(harness.io);
    harness.mirror_to({&a, &b, &c});
    for (std::size_t flow = 0; flow < 9; ++flow) harness.data(get("/x") + get("/y"), flow);
    harness.settle();
    for (const auto* server : {&a, &b, &c}) {
        EXPECT_EQ(server->sessions.size(), 3u);
        EXPECT_EQ(server->requests().size(), 6u);
    }
}

TEST(HttpRelay, ARequestFollowsItsTargetToANewEndpoint) {
    ReplayHarness harness;
    ScriptedServer a(harness.io), b(harness.io);
    harness.mirror_to({&a});
    harness.data(get("/1"));
    harness.settle();
    harness.mirror_to({&b});
    harness.data(get("/2"));
    harness.settle();
    EXPECT_EQ(a.requests(), Strings{get("/1")});
    EXPECT_EQ(b.requests(), Strings{get("/2")});
    harness.until([&] { return a.sessions[0]->finished; });
}

TEST(HttpRelay, AnswersAreAwaitedAfterTheClientIsGone) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    harness.mirror_to({&server});
    harness.data(get("/1") + get("/2"));
    harness.close(CloseKind::reset);
    harness.until([&] { return server.requests().size() == 1; });
    for (int i = 0; i < 2; ++i) {
        server.sessions[0]->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        harness.breathe();
    }
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
    harness.until([&] { return server.sessions[0]->finished; });
    EXPECT_EQ(harness.worker.connections, 0u);
}

TEST(HttpRelay, ChoicesOfTheRouterAreCounted) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    harness.mirror_to({&server});
    umbra_ledger_row other{};
    rules::MirrorTarget empty;
    harness.router.by_request = [&](const RequestHead& head) -> Choice {
        if (head.target == "/none") return {.reason = Reason::unmatched};
        if (head.target == "/off") return {.row = &harness.row, .target = &empty};
        return {.row = &other, .target = &harness.target, .guard = true};
    };
    harness.data(get("/none") + get("/off") + get("/other"));
    harness.until([&] { return other.mirrored.requests == 1; });
    EXPECT_EQ(server.requests(), Strings{get("/other")});
    EXPECT_EQ(harness.lost(Reason::unmatched), 1u);
    EXPECT_EQ(harness.lost_bytes(Reason::unmatched), get("/none").size());
    EXPECT_EQ(harness.lost(Reason::no_endpoint), 1u);
    EXPECT_EQ(harness.lost_bytes(Reason::no_endpoint), get("/off").size());
    EXPECT_EQ(harness.lost_bytes(Reason::other_rule), get("/other").size());
    EXPECT_EQ(harness.own.added, 1);
    EXPECT_EQ(harness.own.now.size(), 1u);
    EXPECT_EQ(harness.own.now.begin()->server, server.endpoint());
    expect_closed(other);
}

TEST(HttpRelay, AHugeResponseIsReadAndForgotten) {
    ReplayHarness harness;
    ScriptedServer server(harness.io);
    constexpr std::size_t kBlock = 1 << 20, kBlocks = 256;
    server.on_request = [&](Session& session, const std::string&) {
        session.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kBlock * kBlocks) + "\r\n\r\n");
        const std::string block(kBlock, 'x');
        for (std::size_t i = 0; i < kBlocks; ++i) {
            session.send(block);
            harness.until([&] { return session.out.empty(); });
        }
    };
    harness.mirror_to({&server});
    harness.data(get("/") + get("/"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
    EXPECT_GT(harness.worker.response_bytes, 2 * kBlock * kBlocks);
}

}  // namespace
}  // namespace umbra
