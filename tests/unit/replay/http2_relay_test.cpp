// A client's HTTP/2 streams arrive at the mirror as they were.
#include <gtest/gtest.h>

#include "unit/replay/http2_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = Http2Server::Session;
using Request = Http2Server::Request;

TEST(Http2, AUnaryRequestArrivesAndIsMirrored) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.unary(1, "/hello", "body");
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
    EXPECT_EQ(harness.row.mirrored.bytes, harness.row.seen.bytes);
    EXPECT_EQ(server.find("/hello")->body, "body");
    EXPECT_TRUE(server.find("/hello")->whole);
    harness.expect_exact(server);
    EXPECT_EQ(harness.worker.responses, 1u);
    EXPECT_EQ(harness.replayer->answers().by_class[2], 1u);
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
}

TEST(Http2, ManyInterleavedStreamsShareOneConnection) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    for (std::uint32_t i = 0; i < 300; ++i) harness.begin(2 * i + 1, "/" + std::to_string(i));
    for (int round = 0; round < 5; ++round) {
        for (std::uint32_t i = 0; i < 300; ++i) harness.body(2 * i + 1, noise(100 + i));
        harness.io.poll();
    }
    for (std::uint32_t i = 0; i < 300; ++i) harness.end(599 - 2 * i);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 300u);
    EXPECT_EQ(server.sessions.size(), 1u);
    EXPECT_EQ(server.whole(), 300u);
    harness.expect_exact(server);
}

TEST(Http2, ClientsDoNotShareConnections) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    for (std::size_t index = 0; index < 3; ++index) harness.unary(1, "/" + std::to_string(index), "x", index);
    harness.settle();
    EXPECT_EQ(server.sessions.size(), 3u);
    harness.expect_exact(server);
}

TEST(Http2, ABodyThatTheMirrorDoesNotTakeLeavesOthersAlone) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.settings = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1000}};
    server.consume_streams = false;
    harness.mirror_to(server);
    const std::string big = noise(100'000);
    harness.unary(1, "/big", big);
    for (std::uint32_t id = 3; id < 103; id += 2) harness.unary(id, "/" + std::to_string(id), "small");
    harness.until([&] { return harness.mirrored() == 50; });
    Request* stuck = server.find("/big");
    EXPECT_EQ(stuck->body.size(), 1000u);
    while (!stuck->whole) {
        const std::size_t before = stuck->body.size();
        server.sessions[0]->consume(*stuck);
        harness.until([&] { return stuck->body.size() > before || stuck->whole; });
        ASSERT_LE(stuck->body.size() - before, 1000u);
    }
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 51u);
    harness.expect_exact(server);
}

TEST(Http2, BigBodiesAtOnceArriveWhole) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    const std::string text = noise(3'000'000);
    for (std::uint32_t id = 1; id < 9; id += 2) harness.begin(id, "/" + std::to_string(id));
    for (std::size_t at = 0; at < text.size(); at += 10'000) {
        for (std::uint32_t id = 1; id < 9; id += 2) harness.body(id, text.substr(at, 10'000));
        harness.io.poll();
    }
    for (std::uint32_t id = 1; id < 9; id += 2) harness.end(id);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 4u);
    harness.expect_exact(server);
}

TEST(Http2, TrailersFollowTheBody) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.begin(1, "/with");
    harness.body(1, "text");
    harness.trailers(1, {{"checksum", "1"}, {"secret", "2", true}});
    harness.end(1);
    harness.begin(3, "/only");
    harness.trailers(3, {{"checksum", "3"}});
    harness.end(3);
    harness.begin(5, "/large");
    harness.body(5, noise(500'000));
    harness.breathe();
    harness.trailers(5, {{"checksum", "5"}});
    harness.breathe();
    harness.end(5);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 3u);
    EXPECT_EQ(value_of(server.find("/with")->trailers, "secret"), "2");
    EXPECT_EQ(value_of(server.find("/only")->trailers, "checksum"), "3");
    harness.expect_exact(server);
}

TEST(Http2, NeverIndexedFieldsStaySo) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.begin(1, "/x", {{"x-secret", "s", true}, {"x-plain", "p", false}});
    harness.end(1);
    harness.settle();
    const Fields& fields = server.find("/x")->fields;
    EXPECT_TRUE(fields.at(4).never_index);
    EXPECT_FALSE(fields.at(5).never_index);
    harness.expect_exact(server);
}

TEST(Http2, ASmallRequestIsSentWhenItIsWhole) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.begin(1, "/x");
    harness.body(1, noise(10'000));
    harness.breathe();
    EXPECT_TRUE(server.requests().empty());
    harness.end(1);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
}

// Limits: hold_time.
TEST(Http2, AnOpenRequestIsBegunAfterTheHoldTimeAndStreams) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.begin(1, "/stream");
    harness.body(1, "one");
    harness.breathe();
    harness.tick(99 * kMillisecond);
    harness.breathe();
    EXPECT_TRUE(server.requests().empty());
    harness.tick(1 * kMillisecond);
    harness.until([&] { return server.find("/stream") && server.find("/stream")->body == "one"; });
    harness.body(1, "two");
    harness.until([&] { return server.find("/stream")->body == "onetwo"; });
    harness.tick(60 * kSecond);
    harness.tick(60 * kSecond);
    EXPECT_EQ(harness.row.in_flight.requests, 1u) << "a silent client is not the mirror's fault";
    harness.body(1, "three");
    harness.end(1);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
    harness.expect_exact(server);
}

TEST(Http2, ALargeRequestIsBegunAtTheHoldSize) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.begin(1, "/large");
    harness.body(1, noise(66'000));
    harness.until([&] { return server.find("/large") && server.find("/large")->body.size() == 66'000; });
    harness.end(1);
    harness.settle();
    harness.expect_exact(server);
}

TEST(Http2, BidirectionalStreamsGoBackAndForth) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_head = [](Session& session, Request& request) { session.headers(request, {{":status", "200"}}); };
    server.on_whole = [](Session& session, Request& request) {
        session.headers(request, {{"grpc-status", "0"}}, true);
    };
    harness.mirror_to(server);
    harness.begin(1, "/bidi");
    harness.breathe();
    harness.tick(100 * kMillisecond);
    for (int i = 0; i < 20; ++i) {
        harness.body(1, std::to_string(i));
        harness.until([&] { return server.find("/bidi") && server.find("/bidi")->body.size() >= std::size_t(i); });
    }
    EXPECT_EQ(harness.mirrored(), 0u);
    harness.end(1);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
    harness.expect_exact(server);
}

TEST(Http2, HugeResponsesAreReadAndThrownAway) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = [](Session& session, Request& request) {
        session.headers(request, {{":status", "103"}});
        session.respond(request, noise(100'000'000), "404");
    };
    harness.mirror_to(server);
    harness.unary(1, "/x");
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
    EXPECT_GT(harness.worker.response_bytes, 100'000'000u);
    EXPECT_EQ(harness.replayer->answers().by_class[4], 1u);
    EXPECT_EQ(harness.replayer->answers().by_class[1], 0u);
}

TEST(Http2, OneStreamAtATimeIfTheMirrorWantsIt) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.settings = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1}};
    server.on_head = [&](Session& session, Request&) {
        std::size_t open = 0;
        for (const auto& [id, other] : session.requests) open += other.answered == 0;
        EXPECT_EQ(open, 1u);
    };
    harness.mirror_to(server);
    for (std::uint32_t id = 1; id < 41; id += 2) harness.unary(id, "/" + std::to_string(id), "text");
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 20u);
    EXPECT_EQ(server.sessions.size(), 1u);
    harness.expect_exact(server);
}

TEST(Http2, TheMirrorMayAllowStreamsLater) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.settings = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0}};
    harness.mirror_to(server);
    harness.unary(1, "/1");
    harness.unary(3, "/3");
    harness.breathe();
    EXPECT_TRUE(server.requests().empty());
    server.sessions.at(0)->allow_streams(2);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
}

TEST(Http2, PushIsRefused) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = [](Session& session, Request& request) {
        EXPECT_EQ(nghttp2_session_get_remote_settings(session.h2, NGHTTP2_SETTINGS_ENABLE_PUSH), 0u);
        session.respond(request);
    };
    harness.mirror_to(server);
    harness.unary(1, "/x");
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
}

TEST(Http2, HeadsAreEditedForTheMirror) {
    Http2Harness harness;
    Http2Server server(harness.io);
    auto settings = std::make_shared<rules::MirrorSettings>();
    settings->headers.set = {{"x-shadow", "yes"}};
    settings->redaction.headers = {{"cookie", rules::RedactedItem::Action::drop, ""}};
    harness.router.choice.settings = settings;
    harness.mirror_to(server);
    harness.begin(1, "/x", {{"cookie", "secret"}, {"kept", "1"}});
    harness.body(1, "text");
    harness.trailers(1, {{"cookie", "secret"}, {"sum", "1"}});
    harness.end(1);
    harness.settle();
    const Request& request = *server.find("/x");
    EXPECT_EQ(value_of(request.fields, "x-shadow"), "yes");
    EXPECT_EQ(value_of(request.fields, "kept"), "1");
    EXPECT_EQ(value_of(request.fields, "cookie"), "");
    EXPECT_EQ(value_of(request.trailers, "cookie"), "");
    EXPECT_EQ(value_of(request.trailers, "sum"), "1");
    EXPECT_EQ(request.body, "text");
}

}  // namespace
}  // namespace umbra
