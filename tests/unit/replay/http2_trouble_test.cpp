// HTTP/2 mirrors and clients that end streams and connections in every way, and what the ledger says of it.
#include <gtest/gtest.h>

#include "unit/replay/http2_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = Http2Server::Session;
using Request = Http2Server::Request;

// A large request that the mirror has in part.
void stream_part(Http2Harness& harness, Http2Server& server, std::uint32_t id, const std::string& path) {
    harness.begin(id, path);
    harness.body(id, noise(100'000));
    harness.until([&] { return server.find(path) && server.find(path)->body.size() == 100'000; });
}

TEST(Http2Trouble, AnEarlyAnswerWaitsForTheRestOfTheRequest) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_head = [](Session& session, Request& request) { session.respond(request); };
    server.on_whole = nullptr;
    harness.mirror_to(server);
    stream_part(harness, server, 1, "/early");
    harness.until([&] { return harness.worker.responses == 1; });
    EXPECT_EQ(harness.mirrored(), 0u);
    harness.body(1, noise(100'000));
    harness.end(1);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
    harness.until([&] { return server.find("/early")->whole; });
    harness.expect_exact(server);
}

TEST(Http2Trouble, AMirrorThatAnsweredMayWaiveTheRest) {
    for (const std::string how : {"end", "reset", "close"}) {
        Http2Harness harness;
        Http2Server server(harness.io);
        server.on_data = [](Session& session, Request& request) {
            if (request.body.size() < 100'000 || !request.answer.empty()) return;
            session.respond(request);
            session.rst(request, NGHTTP2_NO_ERROR);
        };
        harness.mirror_to(server);
        stream_part(harness, server, 1, "/waived");
        harness.until([&] { return harness.worker.responses == 1; });
        harness.breathe();
        harness.body(1, noise(500'000));
        harness.trailers(1, {{"sum", "1"}});
        EXPECT_EQ(harness.worker.queued_bytes, 0u) << how;
        if (how == "end") harness.end(1);
        if (how == "reset") harness.cancel(1);
        if (how == "close") harness.close();
        EXPECT_EQ(harness.mirrored(), 1u) << how;
        EXPECT_EQ(harness.row.mirrored.bytes, harness.row.seen.bytes) << how;
        harness.expect_exact(server);
    }
}

TEST(Http2Trouble, AClientsResetReachesTheMirrorWithItsCode) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    stream_part(harness, server, 1, "/reset");
    harness.cancel(1, NGHTTP2_INTERNAL_ERROR);
    EXPECT_EQ(harness.lost(Reason::client_reset), 1u);
    EXPECT_EQ(harness.lost_bytes(Reason::client_reset), harness.row.seen.bytes);
    harness.until([&] { return server.find("/reset")->reset == NGHTTP2_INTERNAL_ERROR; });
    EXPECT_FALSE(server.find("/reset")->whole);
    harness.unary(3, "/next");
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
    EXPECT_EQ(server.sessions.size(), 1u);
}

TEST(Http2Trouble, NothingIsSentOfARequestThatWasResetBefore) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.begin(1, "/small");
    harness.body(1, "text");
    harness.cancel(1, NGHTTP2_CANCEL, Reason::gap);
    harness.unary(3, "/whole");
    harness.cancel(3);
    harness.unary(5, "/next");
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::gap), 1u);
    EXPECT_EQ(harness.lost(Reason::client_reset), 1u);
    EXPECT_EQ(server.requests().size(), 1u);
    harness.expect_exact(server);
}

TEST(Http2Trouble, AResetAfterTheEndDropsAnUnansweredRequest) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = nullptr;
    harness.mirror_to(server);
    harness.unary(1, "/x", "text");
    harness.until([&] { return server.whole() == 1; });
    harness.cancel(1, NGHTTP2_CANCEL);
    EXPECT_EQ(harness.lost(Reason::client_reset), 1u);
    harness.until([&] { return server.find("/x")->reset == NGHTTP2_CANCEL; });
}

TEST(Http2Trouble, AResetAfterTheAnswerChangesNothing) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_head = [](Session& session, Request& request) { session.respond(request); };
    server.on_whole = nullptr;
    harness.mirror_to(server);
    stream_part(harness, server, 1, "/answered");
    harness.until([&] { return harness.worker.responses == 1; });
    harness.cancel(1, NGHTTP2_CANCEL);
    EXPECT_EQ(harness.mirrored(), 1u);
    harness.until([&] { return server.find("/answered")->reset == NGHTTP2_CANCEL; });
    harness.unary(3, "/settled");
    harness.settle();
    const std::uint64_t mirrored_bytes = harness.row.mirrored.bytes;
    harness.announce(3, 13, 0);
    harness.cancel(3);
    EXPECT_EQ(harness.row.mirrored.bytes, mirrored_bytes);
    EXPECT_EQ(harness.lost_bytes(Reason::h2_control), 13u);
}

TEST(Http2Trouble, TheMirrorsResetLosesThatStreamOnly) {
    for (const bool refused : {false, true}) {
        Http2Harness harness;
        Http2Server server(harness.io);
        server.on_head = [&](Session& session, Request& request) {
            if (request.path() == "/bad") session.rst(request, refused ? NGHTTP2_REFUSED_STREAM : NGHTTP2_CANCEL);
        };
        harness.mirror_to(server);
        harness.begin(1, "/bad");
        harness.body(1, noise(100'000));
        harness.unary(3, "/good", "text");
        harness.settle();
        harness.body(1, noise(50'000));
        harness.end(1);
        const Reason reason = refused ? Reason::mirror_refused : Reason::mirror_reset;
        EXPECT_EQ(harness.lost(reason), 1u);
        EXPECT_GT(harness.lost_bytes(reason), 150'000u);
        EXPECT_EQ(harness.mirrored(), 1u);
        EXPECT_EQ(server.sessions.size(), 1u);
        harness.expect_exact(server);
    }
}

TEST(Http2Trouble, AnIncompleteAnswerThatIsResetIsNoAnswer) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = [](Session& session, Request& request) {
        session.headers(request, {{":status", "200"}});
        session.rst(request, NGHTTP2_NO_ERROR);
    };
    harness.mirror_to(server);
    harness.unary(1, "/x");
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::mirror_reset), 1u);
}

TEST(Http2Trouble, AnInvalidAnswerLosesThatStreamOnly) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = [](Session& session, Request& request) {
        if (request.path() == "/good") return session.respond(request);
        session.headers(request, {{":status", "200"}, {"content-length", "5"}}, true);
    };
    harness.mirror_to(server);
    harness.unary(1, "/bad");
    harness.unary(3, "/good");
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::response_invalid), 1u);
    EXPECT_EQ(harness.mirrored(), 1u);
    EXPECT_EQ(server.sessions.size(), 1u);
}

TEST(Http2Trouble, AfterAGoawayNewStreamsUseANewConnection) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = [&](Session& session, Request& request) {
        if (session.server.sessions.size() > 1) session.respond(request);
    };
    harness.mirror_to(server);
    for (const std::uint32_t id : {1, 3, 5}) harness.unary(id, "/" + std::to_string(id));
    harness.begin(7, "/7");
    harness.body(7, noise(100'000));
    harness.until([&] { return server.requests().size() == 4; });
    Session& old = *server.sessions[0];
    old.go_away(3);
    harness.until([&] { return harness.lost(Reason::mirror_refused) == 2; });
    harness.unary(9, "/9");
    harness.until([&] { return harness.mirrored() == 1; });
    harness.end(7);
    EXPECT_EQ(harness.row.in_flight.requests, 2u);
    old.respond(*server.find("/1"));
    old.respond(*server.find("/3"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 3u);
    EXPECT_EQ(harness.lost(Reason::mirror_refused), 2u);
    EXPECT_EQ(server.sessions.size(), 2u);
    harness.until([&] { return old.finished; });
    harness.expect_exact(server);
}

TEST(Http2Trouble, AMirrorThatGoesAwayAtOnceIsNotAskedInCircles) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_accept = [](Session& session) { session.go_away(0); };
    harness.mirror_to(server);
    harness.unary(1, "/1");
    harness.unary(3, "/3");
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::mirror_refused), 2u);
    EXPECT_LE(server.sessions.size(), 2u);
}

TEST(Http2Trouble, AConnectionsEndLosesItsStreams) {
    for (const bool reset : {false, true}) {
        Http2Harness harness;
        Http2Server server(harness.io);
        server.settings = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2}};
        server.on_whole = [&](Session& session, Request& request) {
            if (server.sessions.size() > 1) return session.respond(request);
            if (session.requests.size() == 2) reset ? session.reset() : session.close();
        };
        harness.mirror_to(server);
        for (const std::uint32_t id : {1, 3, 5, 7}) harness.unary(id, "/" + std::to_string(id));
        harness.settle();
        EXPECT_EQ(harness.lost(reset ? Reason::mirror_reset : Reason::mirror_closed), 2u);
        EXPECT_EQ(harness.mirrored(), 2u) << "what was not sent yet goes to the next connection";
        harness.expect_exact(server);
    }
}

TEST(Http2Trouble, AnIdleConnectionThatEndedIsReplaced) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.unary(1, "/1");
    harness.settle();
    server.sessions[0]->close();
    harness.unary(3, "/3");
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
    EXPECT_EQ(server.sessions.size(), 2u);
}

TEST(Http2Trouble, AMirrorThatClosesEveryConnectionIsNotAskedInCircles) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_accept = [](Session& session) { session.close(); };
    harness.mirror_to(server);
    harness.unary(1, "/1");
    harness.begin(3, "/3");
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::mirror_closed) + harness.lost(Reason::mirror_reset), 2u);
    EXPECT_LE(server.sessions.size(), 2u) << "each connection must cost a stream";
    harness.body(3, "rest");
    harness.end(3);
}

TEST(Http2Trouble, AnAnswerThatIsNotHttp2IsCounted) {
    Http2Harness harness;
    ScriptedServer server(harness.io);
    server.on_accept = [](ScriptedServer::Session& session) {
        session.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    };
    server.on_request = nullptr;
    static_cast<ReplayHarness&>(harness).mirror_to({&server});
    harness.unary(1, "/1");
    harness.unary(3, "/3");
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::response_invalid), 2u);
}

TEST(Http2Trouble, GarbageAfterASoundBeginLosesTheOpenStreams) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = [](Session& session, Request&) {
        asio::write(session.socket, asio::buffer(std::string(500, '\xff')));
    };
    harness.mirror_to(server);
    harness.unary(1, "/1");
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::response_invalid), 1u);
    EXPECT_EQ(harness.worker.connections, 0u);
}

TEST(Http2Trouble, ADeadPortCostsCountedDropsThenTheBreakerSparesIt) {
    Http2Harness harness;
    Endpoint dead;
    {
        ScriptedServer gone(harness.io);
        dead = gone.endpoint();
    }
    harness.target.endpoints = {dead};
    for (std::uint32_t i = 0; i < 10; ++i) {
        harness.unary(2 * i + 1, "/" + std::to_string(i));
        harness.settle();
    }
    EXPECT_EQ(harness.lost(Reason::connect_refused), 5u);
    EXPECT_EQ(harness.lost(Reason::breaker_open), 5u);
}

TEST(Http2Trouble, AnotherEndpointIsTriedWhenOneIsDead) {
    Http2Harness harness;
    Http2Server server(harness.io);
    Endpoint dead;
    {
        ScriptedServer gone(harness.io);
        dead = gone.endpoint();
    }
    harness.target.endpoints = {dead, server.endpoint()};
    for (std::size_t index = 0; index < 8; ++index) harness.unary(1, "/" + std::to_string(index), "", index);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 8u);
}

TEST(Http2Trouble, NewEndpointsTakeNewStreamsWhileOldOnesFinish) {
    Http2Harness harness;
    Http2Server before(harness.io), after(harness.io);
    before.on_whole = nullptr;
    harness.mirror_to(before);
    harness.unary(1, "/1");
    harness.until([&] { return before.whole() == 1; });
    harness.mirror_to(after);
    harness.unary(3, "/3");
    harness.until([&] { return harness.mirrored() == 1; });
    before.sessions[0]->respond(*before.find("/1"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
    harness.until([&] { return before.sessions[0]->finished && before.sessions[0]->saw_goaway; });
}

}  // namespace
}  // namespace umbra
