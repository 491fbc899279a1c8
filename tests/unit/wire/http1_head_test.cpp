#include "wire/http1_head.h"

#include <gtest/gtest.h>

#include "wire/http1_request.h"

namespace umbra::wire {
namespace {

struct HeadCase {
    const char* name;
    std::string head;
    HttpFault fault;
};

std::string with(const std::string& fields) { return "POST /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }

class HeadTable : public testing::TestWithParam<HeadCase> {};

TEST_P(HeadTable, IsJudged) {
    RequestParser parser;
    Http1Head head;
    EXPECT_EQ(parser.head(GetParam().head, head), GetParam().fault);
}

const HttpFault kGood = HttpFault::none, kInvalid = HttpFault::invalid, kAmbiguous = HttpFault::ambiguous;

const HeadCase kCases[] = {
    {"plain", with(""), kGood},
    {"length", with("Content-Length: 5\r\n"), kGood},
    {"length_spaces", with("Content-Length: \t 5 \r\n"), kGood},
    {"length_zeroes", with("Content-Length: 005\r\n"), kGood},
    {"length_huge", with("Content-Length: 4611686018427387904\r\n"), kGood},
    {"length_overflow", with("Content-Length: 18446744073709551617\r\n"), kAmbiguous},
    {"length_empty", with("Content-Length:\r\n"), kAmbiguous},
    {"length_sign", with("Content-Length: +5\r\n"), kAmbiguous},
    {"length_minus", with("Content-Length: -5\r\n"), kAmbiguous},
    {"length_hex", with("Content-Length: 0x5\r\n"), kAmbiguous},
    {"length_list", with("Content-Length: 5, 5\r\n"), kAmbiguous},
    {"length_inner_space", with("Content-Length: 4 2\r\n"), kAmbiguous},
    {"length_twice_same", with("Content-Length: 5\r\nContent-Length: 5\r\n"), kAmbiguous},
    {"length_twice", with("Content-Length: 5\r\ncontent-length: 6\r\n"), kAmbiguous},
    {"chunked", with("Transfer-Encoding: chunked\r\n"), kGood},
    {"chunked_case", with("transfer-encoding:\tCHUNKED \r\n"), kGood},
    {"chunked_and_length", with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), kAmbiguous},
    {"length_and_chunked", with("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), kAmbiguous},
    {"chunked_twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), kAmbiguous},
    {"coding_list", with("Transfer-Encoding: gzip, chunked\r\n"), kAmbiguous},
    {"coding_identity", with("Transfer-Encoding: identity\r\n"), kAmbiguous},
    {"coding_x", with("Transfer-Encoding: xchunked\r\n"), kAmbiguous},
    {"coding_quoted", with("Transfer-Encoding: \"chunked\"\r\n"), kAmbiguous},
    {"coding_vtab",
     with("Transfer-Encoding: \x0b"
          "chunked\r\n"),
     kInvalid},
    {"coding_empty", with("Transfer-Encoding:\r\n"), kAmbiguous},
    {"coding_http10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", kAmbiguous},
    {"fold_space", with("A: b\r\n c\r\n"), kAmbiguous},
    {"fold_tab", with("A: b\r\n\tc\r\n"), kAmbiguous},
    {"space_after_start_line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", kAmbiguous},
    {"space_before_colon", with("Content-Length : 5\r\n"), kAmbiguous},
    {"tab_before_colon", with("Transfer-Encoding\t: chunked\r\n"), kAmbiguous},
    {"nul_in_value", with(std::string("A: b\0c\r\n", 8)), kAmbiguous},
    {"nul_in_name", with(std::string("A\0: b\r\n", 7)), kAmbiguous},
    {"cr_in_value", with("A: b\rContent-Length: 5\r\n"), kAmbiguous},
    {"cr_in_name", with("A\rB: c\r\n"), kAmbiguous},
    {"cr_line", with("\rContent-Length: 5\r\n"), kAmbiguous},
    {"control_in_value", with("A: b\x01\r\n"), kInvalid},
    {"delete_in_value", with("A: b\x7f\r\n"), kInvalid},
    {"tab_in_value", with("A: b\tc\r\n"), kGood},
    {"high_bytes_in_value", with("A: D\xc3\xbcsseldorf\xff\r\n"), kGood},
    {"empty_name", with(": b\r\n"), kInvalid},
    {"no_colon", with("abc\r\n"), kInvalid},
    {"bad_name", with("a@b: c\r\n"), kInvalid},
    {"two_hosts", with("Host: b\r\n"), kAmbiguous},
    {"leading_empty_lines", "\r\n\r\n" + with(""), kGood},
    {"unknown_method", "BREW /pot HTTP/1.1\r\n\r\n", kGood},
    {"query_method", "QUERY /c HTTP/1.1\r\nContent-Length: 3\r\n\r\n", kGood},
    {"bad_method", "GE(T / HTTP/1.1\r\n\r\n", kInvalid},
    {"two_spaces", "GET  / HTTP/1.1\r\n\r\n", kInvalid},
    {"space_in_target", "GET /a b HTTP/1.1\r\n\r\n", kInvalid},
    {"tab_in_request_line", "GET\t/\tHTTP/1.1\r\n\r\n", kInvalid},
    {"no_version", "GET /\r\n\r\n", kInvalid},
    {"version_2", "GET / HTTP/2.0\r\n\r\n", kInvalid},
    {"version_12", "GET / HTTP/1.2\r\n\r\n", kInvalid},
    {"version_case", "GET / http/1.1\r\n\r\n", kInvalid},
    {"version_long", "GET / HTTP/1.10\r\n\r\n", kInvalid},
    {"preface", "PRI * HTTP/2.0\r\n\r\n", kInvalid},
    {"connect", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", kGood},
    {"connect_with_length", "CONNECT a:443 HTTP/1.1\r\nContent-Length: 3\r\n\r\n", kAmbiguous},
    {"absolute_form", "GET http://a:80/b?c HTTP/1.1\r\n\r\n", kGood},
    {"asterisk", "OPTIONS * HTTP/1.1\r\n\r\n", kGood},
};

INSTANTIATE_TEST_SUITE_P(Cases, HeadTable, testing::ValuesIn(kCases), [](const auto& row) { return row.param.name; });

TEST(RequestParser, ReadsTheHead) {
    RequestParser parser;
    Http1Head head;
    const std::string text =
        "\r\nPUT /a?b HTTP/1.1\r\nHost: x\r\nX-Two:  spaced out \r\nContent-Length: 12\r\nConnection: close\r\n\r\n";
    ASSERT_EQ(parser.head(text, head), HttpFault::none);
    EXPECT_EQ(head.method, "PUT");
    EXPECT_EQ(head.target, "/a?b");
    EXPECT_EQ(head.version_minor, 1);
    ASSERT_EQ(head.headers.size(), 4u);
    EXPECT_EQ(head.headers[1].first, "X-Two");
    EXPECT_EQ(head.headers[1].second, "spaced out");
    EXPECT_EQ(head.body, BodyKind::length);
    EXPECT_EQ(head.content_length, 12u);
    EXPECT_TRUE(head.close);
    EXPECT_FALSE(head.upgrade);
}

TEST(RequestParser, KnowsWhatEndsAConnectionAndWhatSwitches) {
    struct Row {
        const char* head;
        bool close, upgrade;
    };
    const Row rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", false, false},
        {"GET / HTTP/1.0\r\n\r\n", true, false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nConnection: foo, Close\r\n\r\n", true, false},
        {"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false, true},
        {"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", false, false},
        {"CONNECT a:1 HTTP/1.1\r\n\r\n", false, true},
    };
    RequestParser parser;
    Http1Head head;
    for (const Row& row : rows) {
        ASSERT_EQ(parser.head(row.head, head), HttpFault::none) << row.head;
        EXPECT_EQ(head.close, row.close) << row.head;
        EXPECT_EQ(head.upgrade, row.upgrade) << row.head;
    }
}

TEST(HeadEnd, FindsTheEmptyLineHoweverCut) {
    const std::string text = "\r\nGET / HTTP/1.1\r\nA: b\r\n\r\nGET";
    const std::size_t end = text.size() - 3;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        HeadEnd scanner;
        const auto first = scanner.scan(std::string_view(text).substr(0, cut));
        ASSERT_EQ(first.fault, HttpFault::none);
        if (cut >= end) {
            ASSERT_EQ(first.end, end) << cut;
            continue;
        }
        ASSERT_FALSE(first.end) << cut;
        ASSERT_EQ(scanner.scan(std::string_view(text).substr(cut)).end, end - cut) << cut;
    }
}

TEST(HeadEnd, RefusesABareLineFeed) {
    for (const std::string text : {"GET / HTTP/1.1\n", "\n", "GET / HTTP/1.1\r\nA: b\n\r\n"}) {
        HeadEnd scanner;
        EXPECT_EQ(scanner.scan(text).fault, HttpFault::ambiguous);
    }
}

}  // namespace
}  // namespace umbra::wire
