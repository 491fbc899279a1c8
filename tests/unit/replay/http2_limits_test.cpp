// Every bound and timeout of HTTP/2 towards a mirror, forced.
#include <gtest/gtest.h>

#include "unit/replay/http2_harness.h"

namespace umbra {
namespace {

using namespace test;
using Session = Http2Server::Session;
using Request = Http2Server::Request;

constexpr char kEmptySettings[] = "\0\0\0\4\0\0\0\0\0";

// A mirror that says hello and nothing else, and reads only if asked to.
void mute(ScriptedServer& server, bool reads) {
    server.on_request = nullptr;
    server.on_accept = [reads](ScriptedServer::Session& session) {
        session.paused = !reads;
        session.send(std::string(kEmptySettings, 9));
    };
}

TEST(Http2Limits, AnAnswerThatNeverComesTimesOutAndIsCancelled) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = [](Session& session, Request& request) {
        if (request.path() == "/fast") session.respond(request);
    };
    harness.mirror_to(server);
    harness.unary(1, "/slow");
    harness.until([&] { return server.whole() == 1; });
    harness.tick(14 * kSecond);
    harness.unary(3, "/fast");
    harness.until([&] { return harness.mirrored() == 1; });
    EXPECT_EQ(harness.row.in_flight.requests, 1u);
    harness.tick(2 * kSecond);
    EXPECT_EQ(harness.lost(Reason::response_timeout), 1u);
    harness.until([&] { return server.find("/slow")->reset == NGHTTP2_CANCEL; });
    harness.unary(5, "/fast2");
    EXPECT_EQ(server.sessions.size(), 1u) << "others go on";
}

TEST(Http2Limits, ADribblingAnswerIsProgress) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = [](Session& session, Request& request) { session.headers(request, {{":status", "200"}}); };
    harness.mirror_to(server);
    harness.unary(1, "/x");
    harness.until([&] { return server.whole() == 1; });
    harness.breathe();
    for (int i = 0; i < 5; ++i) {
        harness.tick(10 * kSecond);
        const std::uint64_t before = harness.worker.response_bytes;
        const std::uint8_t piece[] = {0, 0, 1, 0, 0, 0, 0, 0, 1, 'x'};
        asio::write(server.sessions[0]->socket, asio::buffer(piece));
        harness.until([&] { return harness.worker.response_bytes >= before + 10; });
    }
    EXPECT_EQ(harness.row.in_flight.requests, 1u);
    server.sessions[0]->headers(*server.find("/x"), {{"grpc-status", "0"}}, true);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
}

TEST(Http2Limits, AMirrorThatNeverReadsTimesOut) {
    Http2Harness harness;
    ScriptedServer server(harness.io);
    mute(server, false);
    static_cast<ReplayHarness&>(harness).mirror_to({&server});
    harness.begin(1, "/big");
    for (int i = 0; i < 100; ++i) {
        harness.body(1, noise(100'000));
        harness.io.poll();
    }
    harness.breathe();
    EXPECT_GT(harness.worker.queued_bytes, 0u);
    for (int i = 0; i < 40; ++i) harness.tick(kSecond);
    EXPECT_EQ(harness.lost(Reason::response_timeout), 1u);
    EXPECT_EQ(harness.worker.connections, 0u) << "a silent connection is given up";
    EXPECT_EQ(harness.worker.queued_bytes, 0u);
    harness.body(1, noise(1000));
    harness.end(1);
}

TEST(Http2Limits, ASilentConnectionIsReplaced) {
    Http2Harness harness;
    ScriptedServer server(harness.io);
    mute(server, true);
    static_cast<ReplayHarness&>(harness).mirror_to({&server});
    harness.unary(1, "/1");
    harness.breathe();
    for (int i = 0; i < 16; ++i) harness.tick(kSecond);
    EXPECT_EQ(harness.lost(Reason::response_timeout), 1u);
    EXPECT_EQ(harness.worker.connections, 0u);
    harness.unary(3, "/3");
    harness.until([&] { return server.sessions.size() == 2; });
}

TEST(Http2Limits, AnsweredPingsKeepASlowMirrorsConnection) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.on_whole = nullptr;
    harness.mirror_to(server);
    harness.unary(1, "/1");
    harness.until([&] { return server.whole() == 1; });
    for (int i = 0; i < 14; ++i) {
        harness.tick(kSecond);
        harness.breathe();
    }
    EXPECT_GE(server.sessions[0]->pings, 1u);
    server.sessions[0]->respond(*server.find("/1"));
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 1u);
}

TEST(Http2Limits, AMirrorWithoutSettingsTimesOut) {
    Http2Harness harness;
    ScriptedServer server(harness.io);
    server.on_request = nullptr;
    static_cast<ReplayHarness&>(harness).mirror_to({&server});
    harness.unary(1, "/1");
    harness.begin(3, "/3");
    harness.until([&] { return !server.sessions.empty(); });
    harness.breathe();
    for (int i = 0; i < 17; ++i) harness.tick(kSecond);
    EXPECT_EQ(harness.lost(Reason::response_timeout), 2u);
    EXPECT_EQ(harness.worker.connections, 0u);
    harness.end(3);
}

TEST(Http2Limits, AStreamThatTheMirrorNeverAllowsTimesOut) {
    Http2Harness harness;
    Http2Server server(harness.io);
    server.settings = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0}};
    harness.mirror_to(server);
    harness.unary(1, "/1");
    for (int i = 0; i < 16; ++i) {
        harness.breathe();
        harness.tick(kSecond);
    }
    EXPECT_EQ(harness.lost(Reason::response_timeout), 1u);
    EXPECT_TRUE(server.requests().empty());
}

TEST(Http2Limits, ABlackHoleTimesOutAndWhatWaitedIsDropped) {
    Http2Harness harness;
    asio::ip::tcp::acceptor full(harness.io, {asio::ip::make_address("127.0.0.1"), 0});
    full.listen(0);
    std::vector<asio::ip::tcp::socket> fillers;
    for (int i = 0; i < 4; ++i) {
        fillers.emplace_back(harness.io);
        fillers.back().async_connect(full.local_endpoint(), [](std::error_code) {});
    }
    harness.breathe();
    harness.target.endpoints = {*Endpoint::parse("127.0.0.1:" + std::to_string(full.local_endpoint().port()))};
    harness.unary(1, "/1");
    harness.begin(3, "/3");
    harness.tick(900 * kMillisecond);
    EXPECT_EQ(harness.row.in_flight.requests, 2u);
    harness.tick(200 * kMillisecond);
    EXPECT_EQ(harness.lost(Reason::connect_timeout), 2u);
    harness.end(3);
}

TEST(Http2Limits, TheStreamThatFillsTheFlowsQueueIsGivenUp) {
    ReplayLimits limits;
    limits.flow_queue_bytes = 1024 * 1024;
    Http2Harness harness(limits);
    Http2Server server(harness.io);
    server.consume_streams = false;
    harness.mirror_to(server);
    harness.begin(1, "/big");
    std::uint64_t most = 0;
    for (std::uint32_t i = 0; i < 100; ++i) {
        harness.body(1, noise(20'000));
        harness.unary(2 * i + 3, "/" + std::to_string(i), noise(1000));
        harness.io.poll();
        most = std::max<std::uint64_t>(most, harness.worker.queued_bytes);
    }
    harness.end(1);
    harness.settle();
    EXPECT_LE(most, limits.flow_queue_bytes);
    EXPECT_EQ(harness.lost(Reason::flow_queue), 1u);
    EXPECT_GT(harness.lost_bytes(Reason::flow_queue), 100u * 20'000);
    EXPECT_EQ(harness.mirrored(), 100u);
    EXPECT_EQ(server.find("/big")->reset, NGHTTP2_CANCEL);
    harness.expect_exact(server);
}

TEST(Http2Limits, HeadsCountAsQueuedBytes) {
    ReplayLimits limits;
    limits.flow_queue_bytes = 30'000;
    Http2Harness harness(limits);
    Http2Server server(harness.io);
    harness.mirror_to(server);
    for (std::uint32_t i = 0; i < 5; ++i) {
        harness.begin(2 * i + 1, "/" + std::to_string(i), {{"x", std::string(10'000, 'v')}});
        EXPECT_LE(harness.worker.queued_bytes, limits.flow_queue_bytes);
    }
    EXPECT_EQ(harness.lost(Reason::flow_queue), 3u);
    for (std::uint32_t i = 0; i < 5; ++i) harness.end(2 * i + 1);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
}

TEST(Http2Limits, AllQueuesTogetherAreBounded) {
    ReplayLimits limits;
    limits.total_queue_bytes = 10 * kChunkBytes;
    Http2Harness harness(limits);
    Http2Server server(harness.io);
    harness.mirror_to(server);
    for (std::size_t index = 0; index < 30; ++index) {
        harness.begin(1, "/" + std::to_string(index), {}, index);
        harness.body(1, noise(10'000), index);
    }
    EXPECT_EQ(harness.lost(Reason::total_queue), 20u);
    EXPECT_LE(harness.worker.queued_bytes, limits.total_queue_bytes);
    for (std::size_t index = 0; index < 30; ++index) harness.end(1, index);
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 10u);
}

TEST(Http2Limits, OpenStreamsAreBounded) {
    ReplayLimits limits;
    limits.flow_streams = 5;
    Http2Harness harness(limits);
    Http2Server server(harness.io);
    harness.mirror_to(server);
    for (std::uint32_t i = 0; i < 8; ++i) harness.unary(2 * i + 1, "/" + std::to_string(i), "text");
    EXPECT_EQ(harness.lost(Reason::stream_limit), 3u);
    harness.settle();
    harness.unary(17, "/next");
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 6u);
}

TEST(Http2Limits, AHeadLargerThanAHeaderBlockIsNotSent) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    Fields fields;
    for (int i = 0; i < 6; ++i) fields.push_back({"x" + std::to_string(i), std::string(60'000, '~')});
    harness.begin(1, "/head", fields);
    harness.end(1);
    harness.begin(3, "/trailers");
    harness.body(3, "text");
    harness.trailers(3, fields);
    harness.end(3);
    harness.unary(5, "/next");
    harness.settle();
    EXPECT_EQ(harness.lost(Reason::header_size), 2u);
    EXPECT_EQ(harness.mirrored(), 1u);
    EXPECT_EQ(server.whole(), 1u);
    EXPECT_EQ(server.sessions.size(), 1u);
}

TEST(Http2Limits, IdleConnectionsAreClosed) {
    Http2Harness harness;
    Http2Server server(harness.io);
    harness.mirror_to(server);
    harness.unary(1, "/1");
    harness.settle();
    harness.tick(59 * kSecond);
    EXPECT_EQ(harness.worker.connections, 1u);
    harness.tick(2 * kSecond);
    EXPECT_EQ(harness.worker.connections, 0u);
    harness.until([&] { return server.sessions[0]->finished && server.sessions[0]->saw_goaway; });
    harness.unary(3, "/3");
    harness.settle();
    EXPECT_EQ(harness.mirrored(), 2u);
}

TEST(Http2Limits, ConnectionsAreBoundedAndIdleOnesMakeRoom) {
    ReplayLimits limits;
    limits.connections = 3;
    Http2Harness harness(limits);
    Http2Server server(harness.io);
    harness.mirror_to(server);
    for (std::size_t index = 0; index < 10; ++index) {
        harness.unary(1, "/a" + std::to_string(index), "", index);
        harness.settle();
        EXPECT_LE(harness.worker.connections, 3u);
    }
    for (std::size_t index = 0; index < 10; ++index) {
        harness.unary(3, "/b" + std::to_string(index), "", index);
        harness.settle();
    }
    EXPECT_EQ(harness.mirrored(), 20u);
    server.on_whole = nullptr;
    for (std::size_t index = 10; index < 16; ++index) {
        harness.unary(1, "/c" + std::to_string(index), "", index);
        harness.breathe();
    }
    EXPECT_EQ(harness.lost(Reason::connection_limit), 3u);
}

}  // namespace
}  // namespace umbra
