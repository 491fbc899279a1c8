// What HTTP/2 clients do, as nghttp2 and others do it: the streams that come out, in any pieces.
#include <gtest/gtest.h>

#include "unit/protocol/http2_outcome.h"

namespace umbra {
namespace {

using test::Fields;
using test::h2_frame;
using test::Http2Client;
using test::in_any_pieces;
using test::kEndHeaders;
using test::kEndStream;
using test::kPadded;
using test::kPriority;
using test::Log;
using test::NgClient;
using test::request_fields;
using test::setting;
using test::u32;
using test::without_sizes;

constexpr std::size_t kOpening = 24 + 9;  // preface and empty SETTINGS

std::string head(const std::string& stream, const std::string& method, const std::string& path,
                 const std::string& more = "") {
    return stream + " head :method=" + method + ";:scheme=http;:path=" + path + ";:authority=a;" + more;
}

TEST(Http2Splitter, UnaryOfNghttp2) {
    NgClient client;
    const std::string body = "hello";
    client.request(request_fields("GET", "/a", {{"cookie", "x"}, {"cookie", "y"}}));  // which it never indexes
    const std::size_t first = client.bytes.size() - kOpening;
    client.request(request_fields("POST", "/p"), &body);
    const std::size_t second = client.bytes.size() - kOpening - first;
    const auto outcome = in_any_pieces(client.bytes);
    EXPECT_EQ(outcome.log, (Log{head("1", "GET", "/a", "cookie=x!;cookie=y!;"), "1 end " + std::to_string(first),
                                head("3", "POST", "/p"), "3 data hello", "3 end " + std::to_string(second)}));
    EXPECT_EQ(outcome.dropped(Reason::h2_control), kOpening);
    EXPECT_EQ(outcome.row.mirrored.bytes, first + second);
    EXPECT_EQ(outcome.row.mirrored.requests, 2u);
    EXPECT_EQ(outcome.row.mirrored.flows, 1u);
    EXPECT_EQ(outcome.muted, 0);
}

TEST(Http2Splitter, TrailersOfNghttp2) {
    NgClient client;
    const std::string body = "streamed";
    client.request(request_fields("POST", "/p", {{"te", "trailers"}}), &body, {{"grpc-status", "0"}, {"b", "c"}});
    EXPECT_EQ(
        without_sizes(in_any_pieces(client.bytes).log),
        (Log{head("1", "POST", "/p", "te=trailers;"), "1 data streamed", "1 trailers grpc-status=0;b=c;", "1 end"}));
}

// A gRPC client whose server takes raw binary metadata: base64 says the same to any server.
TEST(Http2Splitter, RawBinaryMetadataBecomeBase64) {
    Http2Client client;
    const std::string raw("\0\xff\0\x10\n", 5);
    client.headers(1, request_fields("POST", "/p", {{"trace-bin", raw}, {"b-bin", "AQI"}, {"e-bin", {"\0", 1}}}),
                   kEndStream);
    client.headers(3, request_fields("POST", "/q", {{"trace", raw}}), kEndStream);
    client.headers(5, request_fields("POST", "/r", {{"x\r\ny: a-bin", raw}}), kEndStream);
    const auto outcome = in_any_pieces(client.bytes);
    EXPECT_EQ(without_sizes(outcome.log),
              (Log{head("1", "POST", "/p", "trace-bin=/wAQCg;b-bin=AQI;e-bin=;"), "1 end"}));
    EXPECT_GT(outcome.dropped(Reason::http_invalid), 0u) << "elsewhere a NUL is no field value";
}

TEST(Http2Splitter, WindowsAndFramesBeyondTheDefaults) {
    NgClient client;
    const std::string big(300'000, 'x');
    client.receive(h2_frame(NGHTTP2_SETTINGS, 0, 0,
                            setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20) +
                                setting(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 17)) +
                   h2_frame(NGHTTP2_WINDOW_UPDATE, 0, 0, u32(1 << 30)));
    client.request(request_fields("POST", "/p"), &big);
    Http2Client early;  // before it acknowledged anything
    early.post(1, "/p").data(1, std::string(200'000, 'y')).data(1, std::string(200'000, 'y'), kEndStream);
    const auto outcome = in_any_pieces(client.bytes, 7919);
    EXPECT_EQ(without_sizes(outcome.log), (Log{head("1", "POST", "/p"), "1 data " + big, "1 end"}));
    EXPECT_EQ(without_sizes(in_any_pieces(early.bytes, 7919).log),
              (Log{head("1", "POST", "/p"), "1 data " + std::string(400'000, 'y'), "1 end"}));
}

TEST(Http2Splitter, MoreThanAWindowOfTheProtocolInAll) {
    Http2Client client;
    client.post(1, "/p");
    const std::string frame = h2_frame(NGHTTP2_DATA, 0, 1, std::string((1 << 24) - 1, 'z'));
    umbra_ledger_row row{};
    struct Sizes : test::RecordingStreams {
        using test::RecordingStreams::RecordingStreams;
        void stream_data(std::uint32_t, Bytes data, TimeNs) override { size += data.size(); }
        std::uint64_t size = 0;
    } sink(row, {});
    Http2Splitter splitter(sink, row, {});
    splitter.feed(as_bytes(client.bytes), 1);
    for (int i = 0; i < 140; ++i) splitter.feed(as_bytes(frame), 1);
    EXPECT_FALSE(splitter.failed());
    EXPECT_EQ(sink.size, 140ull * ((1 << 24) - 1));  // more than 2^31
}

TEST(Http2Splitter, InterleavedStreamsKeepTheirOrder) {
    Http2Client client;
    client.post(1, "/1").post(3, "/3").data(3, "c").data(1, "a").data(1, "b", kEndStream).get(5, "/5");
    client.data(3, "d", kEndStream);
    EXPECT_EQ(without_sizes(in_any_pieces(client.bytes).log),
              (Log{head("1", "POST", "/1"), head("3", "POST", "/3"), "3 data c", "1 data ab", "1 end",
                   head("5", "GET", "/5"), "5 end", "3 data d", "3 end"}));
}

TEST(Http2Splitter, PaddingAndPrioritiesAreTheRequestsBytes) {
    Http2Client client;
    const std::string block = client.block(request_fields("POST", "/p"));
    const std::size_t begin = client.bytes.size();
    client.frame(NGHTTP2_HEADERS, kEndHeaders | kPadded | kPriority, 1,
                 std::string("\x07\0\0\0\0\x10", 6) + block + std::string(7, '\0'));
    client.padded(1, "hello", 200).padded(1, "", 0).padded(1, "", 255).padded(1, "!", 1, kEndStream);
    const std::size_t size = client.bytes.size() - begin;
    const auto outcome = in_any_pieces(client.bytes);
    EXPECT_EQ(outcome.log, (Log{head("1", "POST", "/p"), "1 data hello!", "1 end " + std::to_string(size)}));
    EXPECT_EQ(outcome.row.mirrored.bytes, size);
}

TEST(Http2Splitter, ContinuationsOfABigHead) {
    Http2Client client;
    Fields fields = request_fields("GET", "/a");
    std::string more;
    for (int i = 0; i < 40; ++i) {
        fields.emplace_back("x-" + std::to_string(i), std::string(400, static_cast<char>('a' + i % 26)));
        more += fields.back().first + "=" + fields.back().second + ";";
    }
    const std::string block = client.block(fields);
    const std::size_t begin = client.bytes.size(), part = block.size() / 12;
    client.frame(NGHTTP2_HEADERS, kEndStream, 1, block.substr(0, part));
    for (int i = 1; i < 12; ++i) client.frame(NGHTTP2_CONTINUATION, 0, 1, block.substr(i * part, part));
    client.frame(NGHTTP2_CONTINUATION, 0, 1, "");
    client.frame(NGHTTP2_CONTINUATION, kEndHeaders, 1, block.substr(12 * part));
    const std::size_t size = client.bytes.size() - begin;
    client.get(3, "/a");
    EXPECT_EQ(without_sizes(in_any_pieces(client.bytes, 61).log),
              (Log{head("1", "GET", "/a", more), "1 end", head("3", "GET", "/a"), "3 end"}));
    EXPECT_EQ(in_any_pieces(client.bytes, 997).log[1], "1 end " + std::to_string(size));
}

TEST(Http2Splitter, TableSizesUpTo64KiBAndNone) {
    Http2Client client;
    const Fields custom = {{"x-long", std::string(3000, 'q')}, {"x-other", std::string(3000, 'r')}};
    std::uint32_t id = 1;
    for (const std::size_t table : {4096, 65536, 0, 65536, 100}) {
        client.table_size(table);
        for (int i = 0; i < 3; ++i, id += 2) client.headers(id, request_fields("GET", "/a", custom), kEndStream);
    }
    const auto outcome = in_any_pieces(client.bytes, 211);
    ASSERT_EQ(outcome.log.size(), 30u);
    for (std::size_t i = 0; i < 30; i += 2) {
        EXPECT_NE(outcome.log[i].find(custom[1].second), std::string::npos) << i;
    }
    EXPECT_EQ(outcome.row.mirrored.requests, 15u);
}

TEST(Http2Splitter, NeverIndexedIsKept) {
    Http2Client client;
    client.frame(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1,
                 client.block(request_fields("GET", "/a")) +
                     client.block({{"authorization", "secret"}}, NGHTTP2_NV_FLAG_NO_INDEX));
    EXPECT_EQ(in_any_pieces(client.bytes).log[0], head("1", "GET", "/a", "authorization=secret!;"));
}

TEST(Http2Splitter, ValuesAreKeptAsTheyAre) {
    Http2Client client;
    client.headers(1, request_fields("GET", "/a", {{"x", " spaces\t"}, {"empty", ""}, {"te", "trailers"}}), kEndStream);
    EXPECT_EQ(in_any_pieces(client.bytes).log[0], head("1", "GET", "/a", "x= spaces\t;empty=;te=trailers;"));
}

TEST(Http2Splitter, ControlFramesOfTheConnectionAreDropped) {
    Http2Client client(setting(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0) +
                       setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff) + setting(0x1234, 5));
    client.frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "").post(1, "/p");
    for (int i = 0; i < 4; ++i) client.frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "");
    client.frame(NGHTTP2_SETTINGS, 0, 0, setting(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 20));
    client.frame(NGHTTP2_PING, 0, 0, "12345678").frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678");
    // Together more than a window may be: the server has used it up in between.
    for (int i = 0; i < 3; ++i) client.frame(NGHTTP2_WINDOW_UPDATE, 0, i % 2, u32(0x7fffffff));
    client.frame(NGHTTP2_PRIORITY, 0, 9, u32(7) + "\x10").frame(NGHTTP2_PRIORITY, 0, 1, u32(0) + "\x10");
    client.frame(NGHTTP2_RST_STREAM, 0, 2, u32(8)).frame(0xee, 0xff, 77, "unknown").frame(0x0c, 0, 0, "");
    client.frame(NGHTTP2_GOAWAY, 0, 0, u32(0) + u32(0) + "bye");
    const std::size_t data = client.bytes.size();
    client.data(1, "x", kEndStream).get(3, "/after-goaway");
    const auto outcome = in_any_pieces(client.bytes);
    EXPECT_EQ(without_sizes(outcome.log),
              (Log{head("1", "POST", "/p"), "1 data x", "1 end", head("3", "GET", "/after-goaway"), "3 end"}));
    EXPECT_EQ(outcome.row.mirrored.bytes + outcome.dropped(Reason::h2_control), client.bytes.size());
    EXPECT_LT(outcome.row.mirrored.bytes, 2 * (client.bytes.size() - data));
}

TEST(Http2Splitter, ConnectStreamsAreData) {
    Http2Client client;
    client.headers(1, {{":method", "CONNECT"}, {":authority", "b:443"}, {"content-length", "3"}});
    client.headers(3, {{":method", "CONNECT"},
                       {":protocol", "websocket"},
                       {":scheme", "https"},
                       {":path", "/chat"},
                       {":authority", "a"}});
    client.data(1, "more than three").data(3, "\x81\x01z").data(3, "", kEndStream);
    EXPECT_EQ(without_sizes(in_any_pieces(client.bytes).log),
              (Log{"1 head :method=CONNECT;:authority=b:443;content-length=3;",
                   "3 head :method=CONNECT;:protocol=websocket;:scheme=https;:path=/chat;:authority=a;",
                   "1 data more than three", "3 data \x81\x01z", "3 end", "1 cut client_closed"}));
}

TEST(Http2Splitter, ResetsBeforeAndAfterTheEnd) {
    Http2Client client;
    client.post(1, "/p").data(1, "abc").reset(1, NGHTTP2_INTERNAL_ERROR).data(1, "late").reset(1);
    client.get(3, "/a").reset(3, NGHTTP2_CANCEL).reset(3);
    const auto outcome = in_any_pieces(client.bytes);
    EXPECT_EQ(without_sizes(outcome.log), (Log{head("1", "POST", "/p"), "1 data abc", "1 reset 2 client_reset",
                                               head("3", "GET", "/a"), "3 end", "3 reset 8 client_reset"}));
    EXPECT_EQ(outcome.dropped(Reason::h2_control), kOpening + 13 + 13 + 2 * 13);
    EXPECT_GT(outcome.dropped(Reason::client_reset), 0u);
}

TEST(Http2Splitter, EndedStreamsAreRememberedUpToALimit) {
    Http2Client client;
    for (std::uint32_t i = 0; i < 300; ++i) client.get(2 * i + 1, "/a");
    client.reset(1).reset(2 * 299 + 1);
    const Log log = test::run_http2({client.bytes}).log;
    EXPECT_EQ(log.size(), 601u);
    EXPECT_EQ(log.back(), "599 reset 8 client_reset");
}

TEST(Http2Splitter, RefusedRequestsAndOtherRows) {
    Http2Client client;
    client.post(1, "/no").data(1, "secret").padded(1, "s", 9, kEndStream).reset(1).post(3, "/no").reset(3);
    const std::size_t refused = client.bytes.size() - kOpening - 13;
    client.get(5, "/other");
    umbra_ledger_row other{};
    const auto choose = [&](const RequestHead& request) { return request.target == "/no" ? nullptr : &other; };
    for (const std::size_t size : {std::size_t{1}, std::size_t{10}, client.bytes.size()}) {
        other = {};
        std::vector<std::string_view> pieces;
        for (std::size_t at = 0; at < client.bytes.size(); at += size) {
            pieces.push_back(std::string_view(client.bytes).substr(at, size));
        }
        const auto outcome = test::run_http2(pieces, choose);
        const std::size_t taken = client.bytes.size() - kOpening - 13 - refused;
        EXPECT_EQ(outcome.dropped(Reason::unmatched), refused);
        EXPECT_EQ(outcome.dropped(Reason::other_rule), taken);
        EXPECT_EQ(other.mirrored.bytes, taken);
        EXPECT_EQ(other.seen.bytes, taken);
        test::expect_closed(other);
    }
}

}  // namespace
}  // namespace umbra
