// FlowProtocol around HTTP/2: detection, gaps and closes, protocols fixed by policy, the switch to h2c.
#include <gtest/gtest.h>

#include "unit/protocol/http2_outcome.h"

namespace umbra {
namespace {

using test::FlowHarness;
using test::Http2Client;
using test::kEndStream;
using test::Log;
using test::without_sizes;

const std::string kHeadP = "1 head :method=POST;:scheme=http;:path=/p;:authority=a;";
constexpr std::size_t kOpening = 24 + 9;

struct Http2Harness : FlowHarness {
    explicit Http2Harness(OpenKind kind = OpenKind::handshake, std::optional<Detection> fixed = {})
        : FlowHarness(kind, {}, fixed) {
        sink.take_http2();
    }
    Log log() const { return without_sizes(sink.streams->log); }
};

std::string open_post() {
    Http2Client client;
    client.post(1, "/p").data(1, "abc");
    return client.bytes;
}

TEST(Http2Flow, AGapEndsItForGood) {
    Http2Harness harness;
    harness.data(open_post());
    harness.gap();
    harness.server("HTTP/1.1 200 OK");
    harness.data("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(harness.log(), (Log{kHeadP, "1 data abc", "1 cut gap"}));
    EXPECT_EQ(harness.muted(), 1);
    EXPECT_TRUE(harness.sink.requests.empty());
    EXPECT_EQ(harness.row.mirrored.flows, 1u);
}

TEST(Http2Flow, MidstreamIsNeverJoined) {
    Http2Harness harness(OpenKind::midstream);
    harness.data(open_post());
    harness.server(std::string("\0\0\0\4\0\0\0\0\0", 9));
    harness.data(open_post());
    EXPECT_TRUE(harness.log().empty());
    EXPECT_EQ(harness.dropped(Reason::midstream), 2 * open_post().size());
}

TEST(Http2Flow, WhatTheServerSaysDoesNotMatter) {
    Http2Harness harness;
    harness.data(open_post());
    harness.server(std::string("\0\0\0\4\1\0\0\0\0", 9));
    harness.server("HTTP/1.1 101 Sw");
    harness.answer_unseen();
    harness.data(test::h2_frame(NGHTTP2_DATA, kEndStream, 1, "d"));
    EXPECT_EQ(harness.log(), (Log{kHeadP, "1 data abcd", "1 end"}));
}

TEST(Http2Flow, ClosesByKind) {
    const std::pair<CloseKind, Reason> rows[] = {{CloseKind::finished, Reason::client_closed},
                                                 {CloseKind::reset, Reason::client_reset},
                                                 {CloseKind::abandoned, Reason::overlap_conflict},
                                                 {CloseKind::expired, Reason::idle},
                                                 {CloseKind::shutdown, Reason::shutdown}};
    for (const auto& [kind, reason] : rows) {
        Http2Harness harness;
        const std::string part = test::h2_frame(NGHTTP2_HEADERS, 0, 3, "\x82\x86").substr(0, 10);
        harness.data(open_post() + part);
        harness.close(kind, reason);
        EXPECT_EQ(harness.log().back(), std::string("1 cut ") + reason_name(reason));
        EXPECT_EQ(harness.dropped(reason), open_post().size() - kOpening + part.size());
    }
}

TEST(Http2Flow, AFlowWithoutRequestsIsDropped) {
    Http2Harness harness;
    harness.data(Http2Client().bytes);
    harness.close();
    EXPECT_EQ(dropped_units(harness.row, Reason::client_closed).flows, 1u);
    EXPECT_EQ(harness.dropped(Reason::h2_control), kOpening);
}

TEST(Http2Flow, FixedHttp1IsNothingElse) {
    const std::string foreign[] = {open_post(), "hello\r\n", std::string("\x16\x03\x01\x00\x05\x01\x00", 7), "*1\r\n"};
    for (const std::string& bytes : foreign) {
        for (const std::size_t piece : {std::size_t{1}, bytes.size()}) {
            Http2Harness harness(OpenKind::handshake, Detection::http1);
            harness.data_in_pieces(bytes, piece);
            EXPECT_EQ(harness.dropped(Reason::http_invalid), bytes.size()) << bytes;
            EXPECT_EQ(harness.muted(), 1);
            EXPECT_FALSE(harness.sink.is_raw);
            harness.close();
        }
    }
    Http2Harness waiting(OpenKind::handshake, Detection::http1);
    waiting.data("GET /");
    waiting.server("hello");
    waiting.data(" HTTP/1.1\r\n\r\n");
    waiting.close();
    EXPECT_EQ(waiting.sink.requests.at(0).state, "ended");
    Http2Harness cut(OpenKind::handshake, Detection::http1);
    cut.data("GET /");
    cut.close();
    EXPECT_FALSE(cut.sink.is_raw);
    EXPECT_EQ(cut.dropped(Reason::client_closed), 5u);
}

TEST(Http2Flow, FixedHttp2IsNothingElse) {
    for (const std::string bytes : {"GET / HTTP/1.1\r\n\r\n", "PRI", "\x16\x03\x01"}) {
        Http2Harness harness(OpenKind::handshake, Detection::http2);
        harness.data_in_pieces(bytes, 1);
        harness.server("hello");
        harness.close();
        const bool prefix = bytes == "PRI";
        EXPECT_EQ(harness.dropped(prefix ? Reason::client_closed : Reason::h2_invalid), bytes.size());
        EXPECT_EQ(harness.muted(), prefix ? 0 : 1);
        EXPECT_FALSE(harness.sink.is_raw);
    }
    Http2Harness good(OpenKind::handshake, Detection::http2);
    good.data_in_pieces(open_post(), 1);
    EXPECT_EQ(good.log(), (Log{kHeadP, "1 data abc"}));
}

TEST(Http2Flow, FixedRawIsRawFromTheFirstByte) {
    for (const std::string& bytes : {open_post(), std::string("\x16\x03\x01\x00\x05\x01"), std::string("GET")}) {
        Http2Harness harness(OpenKind::handshake, Detection::raw);
        harness.data(bytes.substr(0, 1));
        EXPECT_EQ(harness.sink.raw, bytes.substr(0, 1));
        harness.data(bytes.substr(1));
        harness.close();
        EXPECT_EQ(harness.sink.raw, bytes);
        EXPECT_EQ(harness.sink.half_closes, 1);
    }
}

TEST(Http2Flow, FixedProtocolsWithoutBoundariesAreNeverJoined) {
    for (const Detection fixed : {Detection::http2, Detection::raw}) {
        for (const bool midstream : {true, false}) {
            Http2Harness harness(midstream ? OpenKind::midstream : OpenKind::handshake, fixed);
            if (!midstream) {
                harness.gap();
                EXPECT_EQ(harness.muted(), 1);
            }
            harness.server("HTTP/1.1 200 OK");
            harness.data("GET / HTTP/1.1\r\n\r\n");
            harness.data("GET / HTTP/1.1\r\n\r\n");
            harness.close();
            EXPECT_EQ(harness.muted(), 1);
            EXPECT_TRUE(harness.sink.requests.empty());
            EXPECT_EQ(harness.dropped(midstream ? Reason::midstream : Reason::gap), 36u);
        }
    }
    Http2Harness joined(OpenKind::midstream, Detection::http1);
    joined.data("...");
    joined.server("HTTP/1.1 200 OK");
    joined.data("GET / HTTP/1.1\r\n\r\n");
    joined.close();
    EXPECT_EQ(joined.sink.requests.at(0).state, "ended");
}

std::string upgrade_to(const std::string& protocols) {
    return "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: " + protocols +
           "\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
}

TEST(Http2Flow, ASwitchToH2cIsGivenUpAfterItsRequest) {
    for (const std::string offered : {"h2c", "H2C", "websocket,\th2c", "h2c , foo"}) {
        Http2Harness harness;
        const std::string request = upgrade_to(offered);
        harness.data(request + "PRI");
        harness.server("HTTP/1.1 101 Sw");
        harness.data(" * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        harness.close();
        EXPECT_EQ(harness.sink.requests.at(0).state, "ended") << offered;
        EXPECT_EQ(harness.sink.requests.at(0).bytes, request);
        EXPECT_FALSE(harness.sink.is_raw);
        EXPECT_EQ(harness.dropped(Reason::h2_upgrade), 24u);
        EXPECT_EQ(harness.muted(), 1);
        EXPECT_EQ(harness.row.mirrored.flows, 1u);
    }
}

TEST(Http2Flow, OtherSwitchesAndRefusedOnesGoOn) {
    for (const std::string offered : {"websocket", "h2cx", "xh2c", "h2c-14"}) {
        Http2Harness harness;
        harness.data(upgrade_to(offered) + "frames");
        harness.server("HTTP/1.1 101 Sw");
        EXPECT_EQ(harness.sink.raw, "frames") << offered;
    }
    Http2Harness refused;
    refused.data(upgrade_to("h2c"));
    refused.server("HTTP/1.1 200 OK");
    refused.data("GET /b HTTP/1.1\r\n\r\n");
    refused.close();
    EXPECT_EQ(refused.sink.requests.size(), 2u);
    EXPECT_EQ(refused.dropped(Reason::h2_upgrade), 0u);
}

}  // namespace
}  // namespace umbra
