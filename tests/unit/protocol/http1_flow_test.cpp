// Whole HTTP/1 flows from their first byte: what comes out, under any segmentation.
#include <gtest/gtest.h>

#include <cstring>

#include "unit/protocol/recording_sink.h"

namespace umbra {
namespace {

using test::FlowHarness;
using test::SeenRequest;

std::string get(const std::string& target, const std::string& fields = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string post(const std::string& target, const std::string& body) {
    return "POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
}
std::string chunked(const std::string& target, const std::string& body) {
    return "POST " + target + " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
}

struct Outcome {
    std::vector<SeenRequest> requests;
    std::string raw;
    int muted = 0;
    umbra_ledger_row row;

    bool operator==(const Outcome& other) const {
        return requests == other.requests && raw == other.raw && muted == other.muted &&
               std::memcmp(&row, &other.row, sizeof row) == 0;
    }
};

Outcome run(const std::vector<std::string_view>& pieces) {
    FlowHarness harness;
    for (const auto piece : pieces) harness.data(piece);
    harness.close();
    return {harness.sink.requests, harness.sink.raw, harness.muted(), harness.row};
}

std::vector<std::string_view> cut(std::string_view text, std::size_t size) {
    std::vector<std::string_view> out;
    for (std::size_t at = 0; at < text.size(); at += size) out.push_back(text.substr(at, size));
    return out;
}

struct Case {
    const char* name;
    std::string stream;
    std::vector<SeenRequest> requests;
    std::optional<Reason> dropped;  // of all bytes that no ended request has
    bool muted = false;
};

class Http1Flow : public testing::TestWithParam<Case> {};

TEST_P(Http1Flow, GivesTheSameInAnyPieces) {
    const Case& row = GetParam();
    const std::string_view stream = row.stream;
    const Outcome whole = run({stream});
    EXPECT_EQ(whole.requests, row.requests);
    EXPECT_EQ(whole.muted, row.muted ? 1 : 0);
    std::uint64_t ended = 0;
    for (const auto& request : row.requests) ended += request.state == "ended" ? request.bytes.size() : 0;
    EXPECT_EQ(whole.row.mirrored.bytes, ended);
    if (row.dropped) {
        EXPECT_EQ(dropped_units(whole.row, *row.dropped).bytes, stream.size() - ended);
    } else {
        EXPECT_EQ(ended, stream.size());
    }
    for (const std::size_t size : {1, 2, 3, 7}) EXPECT_EQ(run(cut(stream, size)), whole) << "pieces of " << size;
    for (std::size_t at = 1; at < stream.size(); ++at) {
        ASSERT_EQ(run({stream.substr(0, at), stream.substr(at)}), whole) << "cut at " << at;
    }
}

SeenRequest ended(const std::string& method, const std::string& target, const std::string& bytes) {
    return {method, target, bytes, "ended"};
}

const std::string kChunks = "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nVary: *\r\n\r\n";
const std::string kZeroes(300, '\0');
const std::string kInnocent = get("/innocent");
const std::string kSmuggled = "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";

std::vector<Case> cases() {
    std::vector<Case> out;
    out.push_back({"one", get("/a"), {ended("GET", "/a", get("/a"))}, {}});
    out.push_back({"length", post("/a", "body"), {ended("POST", "/a", post("/a", "body"))}, {}});
    out.push_back({"zero_bytes", post("/a", kZeroes), {ended("POST", "/a", post("/a", kZeroes))}, {}});
    out.push_back({"chunked", chunked("/a", kChunks), {ended("POST", "/a", chunked("/a", kChunks))}, {}});
    const std::string inner = get("/evil");
    out.push_back({"body_like_request",
                   post("/a", inner) + get("/b"),
                   {ended("POST", "/a", post("/a", inner)), ended("GET", "/b", get("/b"))},
                   {}});
    const std::string mixed[] = {get("/1"), chunked("/2", kChunks), post("/3", "x"), "HEAD /4 HTTP/1.1\r\n\r\n"};
    out.push_back({"pipelined",
                   mixed[0] + mixed[1] + mixed[2] + mixed[3],
                   {ended("GET", "/1", mixed[0]), ended("POST", "/2", mixed[1]), ended("POST", "/3", mixed[2]),
                    ended("HEAD", "/4", mixed[3])},
                   {}});
    out.push_back({"empty_line_between",
                   post("/a", "q=42") + "\r\n" + get("/b"),
                   {ended("POST", "/a", post("/a", "q=42")), ended("GET", "/b", "\r\n" + get("/b"))},
                   {}});
    const std::string expect = "PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc";
    out.push_back({"expect_continue", expect, {ended("PUT", "/a", expect)}, {}});
    const std::string keep = "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    out.push_back({"http10_keep", keep + get("/b"), {ended("GET", "/a", keep), ended("GET", "/b", get("/b"))}, {}});
    const std::string last = get("/a", "Connection: close\r\n");
    out.push_back({"close_at_end", last, {ended("GET", "/a", last)}, {}});
    out.push_back({"bytes_after_close", last + kInnocent, {ended("GET", "/a", last)}, Reason::http_ambiguous, true});
    out.push_back({"bytes_after_http10",
                   "GET /a HTTP/1.0\r\n\r\n" + kInnocent,
                   {ended("GET", "/a", "GET /a HTTP/1.0\r\n\r\n")},
                   Reason::http_ambiguous,
                   true});
    out.push_back({"incomplete_head",
                   get("/a") + "GET /b HTTP/1.1\r\nHo",
                   {ended("GET", "/a", get("/a"))},
                   Reason::client_closed});
    const std::string part = "POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc";
    out.push_back({"incomplete_body", part, {{"POST", "/a", part, "client_closed"}}, Reason::client_closed});
    const std::string tail = chunked("/a", "5\r\nhello\r\n");
    out.push_back({"incomplete_chunks", tail, {{"POST", "/a", tail, "client_closed"}}, Reason::client_closed});
    out.push_back({"ambiguous_first", kSmuggled + kInnocent, {}, Reason::http_ambiguous, true});
    out.push_back({"ambiguous_second",
                   get("/a") + kSmuggled + kInnocent,
                   {ended("GET", "/a", get("/a"))},
                   Reason::http_ambiguous,
                   true});
    out.push_back({"bare_lf", "GET /a HTTP/1.1\nHost: a\n\n" + kInnocent, {}, Reason::http_ambiguous, true});
    out.push_back({"invalid_second",
                   get("/a") + "\x81\x05hello\r\n\r\n",
                   {ended("GET", "/a", get("/a"))},
                   Reason::http_invalid,
                   true});
    const std::string bad = chunked("/a", "5\r\nhello\r\n");
    out.push_back({"bad_chunk",
                   bad + "5 \r\nhello\r\n0\r\n\r\n" + kInnocent,
                   {{"POST", "/a", bad + "5", "http_ambiguous"}},
                   Reason::http_ambiguous,
                   true});
    out.push_back({"preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {}, Reason::unsupported_protocol, true});
    out.push_back({"tls", std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10), {}, Reason::tls, true});
    return out;
}

INSTANTIATE_TEST_SUITE_P(Cases, Http1Flow, testing::ValuesIn(cases()), [](const auto& row) { return row.param.name; });

TEST(Http1Flow, PipelinesOfOneToAHundred) {
    for (int depth = 1; depth <= 100; ++depth) {
        std::string stream;
        std::vector<SeenRequest> expected;
        for (int i = 0; i < depth; ++i) {
            const std::string target = "/" + std::to_string(i);
            const std::string text = i % 3 == 0   ? get(target)
                                     : i % 3 == 1 ? post(target, std::string(i, 'b'))
                                                  : chunked(target, kChunks);
            stream += text;
            expected.push_back(ended(i % 3 == 0 ? "GET" : "POST", target, text));
        }
        EXPECT_EQ(run({stream}).requests, expected) << depth;
        EXPECT_EQ(run(cut(stream, 1448)).requests, expected) << depth;
    }
}

TEST(Http1Flow, LargeBodiesPassThrough) {
    std::string body(1'000'003, 0);
    for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 2654435761u >> 24);
    const std::string text = post("/big", body);
    for (const std::size_t size : {1448, 65536, 190'000, 2'000'000}) {
        const Outcome outcome = run(cut(text, size));
        ASSERT_EQ(outcome.requests.size(), 1u);
        EXPECT_EQ(outcome.requests[0].bytes, text) << size;
    }
}

TEST(Http1Flow, HeadLimitIsExact) {
    const std::string frame = "GET / HTTP/1.1\r\nA: \r\n\r\n";
    for (const bool fits : {true, false}) {
        const std::size_t size = 64 * 1024 - (fits ? 0 : 0) + (fits ? 0 : 1);
        std::string head = frame;
        head.insert(frame.size() - 4, size - frame.size(), 'x');
        for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, head.size()}) {
            const Outcome outcome = run(cut(head + kInnocent, piece));
            EXPECT_EQ(outcome.requests.size(), fits ? 2u : 0u);
            EXPECT_EQ(dropped_units(outcome.row, Reason::http_head_size).bytes,
                      fits ? 0 : head.size() + kInnocent.size());
        }
    }
}

TEST(Http1Flow, RefusedRequestsAreUnmatchedAndOthersGoOn) {
    const auto choose_none = [](const RequestHead& head) -> umbra_ledger_row* {
        static umbra_ledger_row other{};
        return head.target == "/no" ? nullptr : &other;
    };
    FlowHarness harness(OpenKind::handshake, choose_none);
    const std::string no = post("/no", "secret"), yes = post("/yes", "body");
    harness.data(no + yes + no);
    EXPECT_EQ(harness.sink.refused, 2);
    ASSERT_EQ(harness.sink.requests.size(), 1u);
    EXPECT_EQ(harness.sink.requests[0], ended("POST", "/yes", yes));
    EXPECT_EQ(harness.dropped(Reason::unmatched), 2 * no.size());
    EXPECT_EQ(harness.dropped(Reason::other_rule), yes.size());
}

TEST(Http1Flow, AnotherRulesRowCountsItsRequest) {
    umbra_ledger_row other{};
    const std::string text = post("/x", "body");
    {
        FlowHarness harness(OpenKind::handshake, [&](const RequestHead&) { return &other; });
        harness.data(text.substr(0, 20));
        harness.data(text.substr(20));
        EXPECT_EQ(harness.dropped(Reason::other_rule), text.size());
    }
    EXPECT_EQ(other.seen.bytes, text.size());
    EXPECT_EQ(other.mirrored.bytes, text.size());
    EXPECT_EQ(other.mirrored.requests, 1u);
    test::expect_closed(other);
}

TEST(Http1Flow, ClosesByKind) {
    const std::string part = "POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc";
    const std::pair<CloseKind, Reason> rows[] = {{CloseKind::finished, Reason::client_closed},
                                                 {CloseKind::reset, Reason::client_reset},
                                                 {CloseKind::abandoned, Reason::overlap_conflict},
                                                 {CloseKind::expired, Reason::idle},
                                                 {CloseKind::shutdown, Reason::shutdown}};
    for (const auto& [kind, reason] : rows) {
        FlowHarness harness;
        harness.data(part);
        harness.close(kind, reason);
        EXPECT_EQ(harness.sink.requests.at(0).state, reason_name(reason));
        EXPECT_EQ(harness.dropped(reason), part.size());
    }
}

TEST(Http1Flow, WholeIsSaidOnlyOfRequestsAtHand) {
    std::vector<bool> whole;
    FlowHarness harness(OpenKind::handshake, [&](const RequestHead& head) {
        whole.push_back(head.whole);
        return &harness.row;
    });
    const std::string text = post("/a", "body");
    harness.data(text);
    harness.data(text.substr(0, text.size() - 1));
    harness.data(text.substr(text.size() - 1));
    harness.data(get("/b"));
    harness.data(chunked("/c", kChunks));
    EXPECT_EQ(whole, (std::vector<bool>{true, false, true, false}));
}

}  // namespace
}  // namespace umbra
