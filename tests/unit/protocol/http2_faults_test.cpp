// HTTP/2 that breaks the protocol or a limit: what is given up, under which reason, in any pieces.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>

#include "unit/protocol/http2_outcome.h"

namespace umbra {
namespace {

using test::Fields;
using test::Http2Client;
using test::in_any_pieces;
using test::kEndHeaders;
using test::kEndStream;
using test::kPadded;
using test::kPriority;
using test::Log;
using test::request_fields;
using test::setting;
using test::u32;
using test::without_sizes;

const std::string kHeadA = "1 head :method=GET;:scheme=http;:path=/a;:authority=a;";
const std::string kHeadP = "1 head :method=POST;:scheme=http;:path=/p;:authority=a;";
const std::string kHeadB = "99 head :method=GET;:scheme=http;:path=/b;:authority=a;";
constexpr std::size_t kOpening = 24 + 9;

// What breaks the connection: of the bytes from there on nothing is handed on.
struct Broken {
    const char* name;
    void (*write)(Http2Client&);
    Reason reason = Reason::h2_invalid;
};

void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }

class Http2Broken : public testing::TestWithParam<Broken> {};

TEST_P(Http2Broken, EndsTheConnection) {
    Http2Client client;
    client.get(1, "/a");
    const std::size_t good = client.bytes.size();
    GetParam().write(client);
    client.get(99, "/b");
    const auto outcome = in_any_pieces(client.bytes, client.bytes.size() / 500 + 1);
    EXPECT_EQ(without_sizes(outcome.log), (Log{kHeadA, "1 end"}));
    EXPECT_EQ(outcome.muted, 1);
    EXPECT_EQ(outcome.row.mirrored.bytes, good - kOpening);
    EXPECT_EQ(outcome.dropped(GetParam().reason), client.bytes.size() - good);
}

const Broken kBroken[] = {
    {"data_on_zero", [](Http2Client& c) { c.data(0, "x"); }},
    {"data_on_idle", [](Http2Client& c) { c.data(5, "x"); }},
    {"data_on_even", [](Http2Client& c) { c.data(2, "x"); }},
    {"data_without_pad_length", [](Http2Client& c) { c.frame(NGHTTP2_DATA, kPadded, 1, ""); }},
    {"data_with_too_much_pad", [](Http2Client& c) { c.frame(NGHTTP2_DATA, kPadded, 1, "\x05wxyz"); }},
    {"headers_on_zero", [](Http2Client& c) { c.get(0, "/a"); }},
    {"headers_on_even", [](Http2Client& c) { c.get(4, "/a"); }},
    {"headers_of_themselves",
     [](Http2Client& c) {
         c.frame(NGHTTP2_HEADERS, kEndHeaders | kPriority, 3, u32(3) + "\x10" + c.block(request_fields("GET", "/a")));
     }},
    {"headers_with_too_much_pad",
     [](Http2Client& c) {
         c.frame(NGHTTP2_HEADERS, kEndHeaders | kPadded, 3, "\x7f" + c.block({{"a", "b"}}));
     }},
    {"headers_too_short", [](Http2Client& c) { c.frame(NGHTTP2_HEADERS, kEndHeaders | kPriority, 3, "ab"); }},
    {"hpack_index", [](Http2Client& c) { c.frame(NGHTTP2_HEADERS, kEndHeaders, 3, "\x82\x86\xff\xff\x7f\x82"); }},
    {"hpack_huffman",
     [](Http2Client& c) { c.frame(NGHTTP2_HEADERS, kEndHeaders, 3, "\x82\x44\x84\xff\xff\xff\xff\x82"); }},
    {"hpack_cut", [](Http2Client& c) { c.frame(NGHTTP2_HEADERS, kEndHeaders, 3, "\x82\x44\x05/ab"); }},
    {"hpack_table_size", [](Http2Client& c) { c.frame(NGHTTP2_HEADERS, kEndHeaders, 3, "\x3f\xe2\xff\x03\x82"); }},
    {"hpack_table_size_inside", [](Http2Client& c) { c.frame(NGHTTP2_HEADERS, kEndHeaders, 3, "\x82\x20\x86"); }},
    {"continuation_alone", [](Http2Client& c) { c.frame(NGHTTP2_CONTINUATION, kEndHeaders, 1, "\x82"); }},
    {"continuation_of_another",
     [](Http2Client& c) {
         c.frame(NGHTTP2_HEADERS, 0, 3, "\x82").frame(NGHTTP2_CONTINUATION, kEndHeaders, 5, "\x86");
     }},
    {"unknown_inside_a_block", [](Http2Client& c) { c.frame(NGHTTP2_HEADERS, 0, 3, "\x82").frame(0xee, 0, 3, "x"); }},
    {"ping_inside_a_block",
     [](Http2Client& c) { c.frame(NGHTTP2_HEADERS, 0, 3, "\x82").frame(NGHTTP2_PING, 0, 0, "12345678"); }},
    {"settings_on_a_stream", [](Http2Client& c) { c.frame(NGHTTP2_SETTINGS, 0, 1, ""); }},
    {"settings_of_five", [](Http2Client& c) { c.frame(NGHTTP2_SETTINGS, 0, 0, "12345"); }},
    {"settings_ack_with_payload",
     [](Http2Client& c) { c.frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, setting(1, 1)); }},
    {"settings_window", [](Http2Client& c) { c.frame(NGHTTP2_SETTINGS, 0, 0, setting(4, 0x80000000)); }},
    {"settings_too_many",
     [](Http2Client& c) {
         std::string many;
         for (unsigned i = 0; i < 40; ++i) many += setting(0x100 + i, 1);
         c.frame(NGHTTP2_SETTINGS, 0, 0, many);
     }},
    {"push", [](Http2Client& c) { c.frame(NGHTTP2_PUSH_PROMISE, kEndHeaders, 1, u32(2) + "\x82"); }},
    {"ping_of_seven", [](Http2Client& c) { c.frame(NGHTTP2_PING, 0, 0, "1234567"); }},
    {"ping_on_a_stream", [](Http2Client& c) { c.frame(NGHTTP2_PING, 0, 1, "12345678"); }},
    {"goaway_of_seven", [](Http2Client& c) { c.frame(NGHTTP2_GOAWAY, 0, 0, "1234567"); }},
    {"goaway_on_a_stream", [](Http2Client& c) { c.frame(NGHTTP2_GOAWAY, 0, 1, "12345678"); }},
    {"window_update_of_five", [](Http2Client& c) { c.frame(NGHTTP2_WINDOW_UPDATE, 0, 0, "12345"); }},
    {"window_update_of_idle", [](Http2Client& c) { c.frame(NGHTTP2_WINDOW_UPDATE, 0, 7, u32(1)); }},
    {"priority_of_four", [](Http2Client& c) { c.frame(NGHTTP2_PRIORITY, 0, 1, "1234"); }},
    {"priority_on_zero", [](Http2Client& c) { c.frame(NGHTTP2_PRIORITY, 0, 0, "12345"); }},
    {"reset_of_five", [](Http2Client& c) { c.frame(NGHTTP2_RST_STREAM, 0, 1, "12345"); }},
    {"reset_of_three", [](Http2Client& c) { c.frame(NGHTTP2_RST_STREAM, 0, 1, "123"); }},
    {"reset_of_idle", [](Http2Client& c) { c.reset(7); }},
    {"reset_on_zero", [](Http2Client& c) { c.reset(0); }},
    {"block_limit", [](Http2Client& c) { c.frame(NGHTTP2_HEADERS, 0, 3, std::string(128 * 1024 - 8, '\x82')); },
     Reason::header_size},
    {"block_limit_by_continuations",
     [](Http2Client& c) {
         c.frame(NGHTTP2_HEADERS, 0, 3, "\x82");
         for (int i = 0; i < 128 * 1024 / 9; ++i) c.frame(NGHTTP2_CONTINUATION, 0, 3, "");
     },
     Reason::header_size},
};

INSTANTIATE_TEST_SUITE_P(Cases, Http2Broken, testing::ValuesIn(kBroken),
                         [](const auto& row) { return row.param.name; });

// What breaks one stream: it is absent or reset, the connection goes on, its decoder's state included.
struct Invalid {
    const char* name;
    void (*write)(Http2Client&);
    Log log;
    Reason reason = Reason::http_invalid;
};

void PrintTo(const Invalid& invalid, std::ostream* out) { *out << invalid.name; }

class Http2Invalid : public testing::TestWithParam<Invalid> {};

TEST_P(Http2Invalid, EndsTheStreamOnly) {
    Http2Client client;
    GetParam().write(client);
    const std::size_t broken = client.bytes.size() - kOpening;
    client.get(99, "/b");
    const auto outcome = in_any_pieces(client.bytes, client.bytes.size() / 500 + 1);
    Log expected = GetParam().log;
    expected.insert(expected.end(), {kHeadB, "99 end"});
    EXPECT_EQ(without_sizes(outcome.log), expected);
    EXPECT_EQ(outcome.muted, 0);
    EXPECT_EQ(outcome.dropped(GetParam().reason) + outcome.dropped(Reason::h2_control), broken + kOpening);
    EXPECT_GT(outcome.dropped(GetParam().reason), 0u);
}

const Invalid kInvalid[] = {
    {"no_path",
     [](Http2Client& c) {
         c.headers(1, {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}});
     },
     {}},
    {"no_authority",
     [](Http2Client& c) {
         c.headers(1, {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}});
     },
     {}},
    {"upper_case",
     [](Http2Client& c) {
         c.headers(1, request_fields("GET", "/a", {{"X-Upper", "1"}}));
     },
     {}},
    {"bad_value",
     [](Http2Client& c) {
         c.headers(1, request_fields("GET", "/a", {{"x", "a\nb"}, {"y", "z"}}));
     },
     {}},
    {"bad_name",
     [](Http2Client& c) {
         c.headers(1, request_fields("GET", "/a", {{"x y", "1"}, {"y", "z"}}));
     },
     {}},
    {"connection",
     [](Http2Client& c) {
         c.headers(1, request_fields("GET", "/a", {{"connection", "close"}}));
     },
     {}},
    {"late_pseudo",
     [](Http2Client& c) {
         c.headers(1, request_fields("GET", "/a", {{"x", "1"}, {":path", "/"}}));
     },
     {}},
    {"two_lengths",
     [](Http2Client& c) {
         c.headers(1, request_fields("POST", "/p", {{"content-length", "1"}, {"content-length", "1"}}));
     },
     {}},
    {"frames_after_it",
     [](Http2Client& c) {
         c.headers(1, request_fields("POST", "/p", {{"te", "gzip"}})).data(1, "lost").padded(1, "x", 3).reset(1);
         c.headers(1, {{"x-trailer", "1"}}, kEndStream);
     },
     {}},
    {"longer_than_its_length",
     [](Http2Client& c) {
         c.post(1, "/p", {{"content-length", "3"}}).data(1, "ab").padded(1, "cdef", 4).data(1, "g");
     },
     {"1 head :method=POST;:scheme=http;:path=/p;:authority=a;content-length=3;", "1 data abc",
      "1 reset 8 http_invalid"}},
    {"body_of_none",
     [](Http2Client& c) {
         c.post(1, "/p", {{"content-length", "0"}}).data(1, "").data(1, "ab", kEndStream);
     },
     {"1 head :method=POST;:scheme=http;:path=/p;:authority=a;content-length=0;", "1 reset 8 http_invalid"}},
    {"shorter_than_its_length",
     [](Http2Client& c) {
         c.post(1, "/p", {{"content-length", "3"}}).padded(1, "ab", 9, kEndStream);
     },
     {"1 head :method=POST;:scheme=http;:path=/p;:authority=a;content-length=3;", "1 data ab",
      "1 reset 8 http_invalid"}},
    {"length_without_body",
     [](Http2Client& c) {
         c.headers(1, request_fields("POST", "/p", {{"content-length", "3"}}), kEndStream);
     },
     {}},
    {"trailers_without_end",
     [](Http2Client& c) {
         c.post(1, "/p").data(1, "a").headers(1, {{"x", "1"}}).data(1, "b", kEndStream);
     },
     {kHeadP, "1 data a", "1 reset 8 http_invalid"}},
    {"trailers_with_pseudo",
     [](Http2Client& c) {
         c.post(1, "/p").headers(1, {{":path", "/q"}, {"y", "z"}}, kEndStream);
     },
     {kHeadP, "1 reset 8 http_invalid"}},
    {"list_too_long",
     [](Http2Client& c) {
         Fields fields = request_fields("GET", "/a");
         for (int i = 0; i < 9; ++i) fields.emplace_back("x-" + std::to_string(i), std::string(7500, 'v'));
         c.headers(1, fields, kEndStream);
     },
     {},
     Reason::header_size},
    {"list_of_too_many",
     [](Http2Client& c) {
         c.headers(1, request_fields("GET", "/a", Fields(600, {"x", "y"})), kEndStream);
     },
     {},
     Reason::header_size},
    {"trailers_too_long",
     [](Http2Client& c) {
         c.post(1, "/p").headers(1, Fields(600, {"x", "y"}), kEndStream);
     },
     {kHeadP, "1 reset 8 header_size"},
     Reason::header_size},
};

INSTANTIATE_TEST_SUITE_P(Cases, Http2Invalid, testing::ValuesIn(kInvalid),
                         [](const auto& row) { return row.param.name; });

TEST(Http2Faults, SettingsComeFirst) {
    const std::string preface(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    for (const std::string& first :
         {test::h2_frame(NGHTTP2_PING, 0, 0, "12345678"), test::h2_frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, ""),
          test::h2_frame(0xee, 0, 0, "")}) {
        const auto outcome = in_any_pieces(preface + first);
        EXPECT_EQ(outcome.dropped(Reason::h2_invalid), first.size());
        EXPECT_EQ(outcome.dropped(Reason::h2_control), preface.size());
        EXPECT_EQ(dropped_units(outcome.row, Reason::h2_invalid).flows, 1u);
    }
}

TEST(Http2Faults, ThePrefaceIsExact) {
    const std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX" + std::string(20, 'y');
    const auto outcome = in_any_pieces(bytes);
    EXPECT_EQ(outcome.dropped(Reason::h2_invalid), bytes.size());
    EXPECT_EQ(outcome.muted, 1);
}

TEST(Http2Faults, AListOfTheLimitPasses) {
    const std::size_t limit = ProtocolLimits{}.header_list_bytes, overhead = kFieldOverhead;
    for (const bool fits : {true, false}) {
        Fields fields = request_fields("GET", "/a");
        std::size_t size = 0;
        for (const auto& [name, value] : fields) size += name.size() + value.size() + overhead;
        fields.emplace_back("x", std::string(limit - size - 1 - overhead + (fits ? 0 : 1), '\x7e'));
        Http2Client client;
        client.headers(1, fields, kEndStream);
        EXPECT_EQ(test::run_http2({client.bytes}).log.size(), fits ? 2u : 0u);
    }
}

// Streams that the server ended early stay open here: they must not end the connection's mirroring.
TEST(Http2Faults, PastTheLimitTheQuietestStreamIsGivenUp) {
    Http2Client client;
    const std::size_t limit = ProtocolLimits{}.open_streams;
    std::uint32_t id = 1;
    for (std::size_t i = 0; i < limit; ++i, id += 2) client.post(id, "/p");
    client.data(1, "x").data(3, "y", kEndStream).post(id, "/p");
    EXPECT_EQ(dropped_units(test::run_http2({client.bytes}).row, Reason::stream_limit).requests, 0u);
    client.get(id + 2, "/a").data(5, "late").reset(5).data(1, "z", kEndStream);
    const auto outcome = in_any_pieces(client.bytes, client.bytes.size() / 100);
    EXPECT_EQ(outcome.muted, 0);
    EXPECT_EQ(dropped_units(outcome.row, Reason::stream_limit).requests, 1u);
    EXPECT_EQ(outcome.row.mirrored.requests, 3u);
    const Log end = without_sizes(outcome.log);
    const auto reset = std::find(end.begin(), end.end(), "5 reset 8 stream_limit");
    ASSERT_LT(reset, end.end() - 4);
    EXPECT_TRUE(reset[1].starts_with("515 head ")) << reset[1];
    EXPECT_EQ(Log(reset + 2, reset + 5), (Log{"515 end", "1 data z", "1 end"}));
}

// Nothing grows and nothing is answered: as many as these would exceed any of nghttp2's queues.
TEST(Http2Faults, FloodsAreDropped) {
    Http2Client client;
    client.post(1, "/p");
    for (int i = 0; i < 20'000; ++i) {
        client.data(1, "").frame(NGHTTP2_SETTINGS, 0, 0, "").frame(NGHTTP2_PING, 0, 0, "12345678");
        client.frame(NGHTTP2_PRIORITY, 0, 2 * i + 3, u32(1) + "\x10").frame(NGHTTP2_WINDOW_UPDATE, 0, 0, u32(1 << 30));
        client.frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "");
    }
    std::uint32_t id = 3;
    for (int i = 0; i < 20'000; ++i, id += 2) client.post(id, "/p").reset(id);
    client.data(1, "still", kEndStream);
    const auto outcome = test::run_http2({client.bytes});
    EXPECT_EQ(outcome.muted, 0);
    EXPECT_EQ(dropped_units(outcome.row, Reason::client_reset).requests, 20'000u);
    EXPECT_EQ(outcome.row.mirrored.requests, 1u);
    EXPECT_EQ(outcome.log.end()[-2], "1 data still");
}

// A stream that has ended, was refused or given up leaves nothing behind, in the session neither.
TEST(Http2Faults, StreamsThatAreOverHoldNothing) {
    struct Forgetful : test::RecordingStreams {
        using test::RecordingStreams::RecordingStreams;
        umbra_ledger_row* stream_head(std::uint32_t stream, const RequestHead&, std::span<const HeaderField>,
                                      TimeNs) override {
            return stream % 4 == 1 ? &row : nullptr;
        }
        void stream_bytes(std::uint32_t, std::size_t) override {}
        void stream_end(std::uint32_t, TimeNs) override {}
        void stream_reset(std::uint32_t, std::uint32_t, Reason, TimeNs) override {}
        umbra_ledger_row row{};
    };
    umbra_ledger_row row{};
    Forgetful sink(row, {});
    const ProtocolLimits limits;
    Http2Splitter splitter(sink, row, limits);
    Http2Client client;
    std::size_t after_first = 0;
    for (std::uint32_t id = 1; id < 40'000; id += 8) {
        client.get(id, "/a").get(id + 2, "/a").post(id + 4, "/p").reset(id + 4);
        client.headers(id + 6, request_fields("GET", "/a", {{"connection", "x"}}));
        splitter.feed(as_bytes(client.bytes), 1);
        client.bytes.clear();
        if (id < 800) after_first = mallinfo2().uordblks;
    }
    EXPECT_FALSE(splitter.failed());
    EXPECT_EQ(splitter.heads(), 3u * 5000);
    EXPECT_LT(mallinfo2().uordblks, after_first + 64 * 1024);
}

}  // namespace
}  // namespace umbra
