#include <gtest/gtest.h>

#include <string>

#include "wire/http1_request.h"

namespace umbra::wire {
namespace {

struct ChunkedCase {
    const char* name;
    std::string body;
    HttpFault fault;
};

const HttpFault kGood = HttpFault::none, kBad = HttpFault::ambiguous;

const ChunkedCase kCases[] = {
    {"empty", "0\r\n\r\n", kGood},
    {"one", "5\r\nhello\r\n0\r\n\r\n", kGood},
    {"hex", "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", kGood},
    {"leading_zeroes", "0005\r\nhello\r\n000\r\n\r\n", kGood},
    {"extension", "5;a\r\nhello\r\n0;b=c\r\n\r\n", kGood},
    {"extension_list", "5;a;b=c;d=\"e;\\\"f\"\r\nhello\r\n0\r\n\r\n", kGood},
    {"trailers", "5\r\nhello\r\n0\r\nVary: *\r\nX-Sum: 1\r\n\r\n", kGood},
    {"body_looks_like_end", "7\r\n0\r\n\r\nab\r\n0\r\n\r\n", kGood},
    {"no_digits", "\r\nhello", kBad},
    {"bad_digit", "5g\r\nhello\r\n0\r\n\r\n", kBad},
    {"prefix_0x", "0x5\r\nhello\r\n0\r\n\r\n", kBad},
    {"minus", "-5\r\nhello\r\n0\r\n\r\n", kBad},
    {"plus", "+5\r\nhello\r\n0\r\n\r\n", kBad},
    {"leading_space", " 5\r\nhello\r\n0\r\n\r\n", kBad},
    {"trailing_space", "5 \r\nhello\r\n0\r\n\r\n", kBad},
    {"underscore", "5_\r\nhello\r\n0\r\n\r\n", kBad},
    {"too_long", "0000000000000005\r\nhello\r\n0\r\n\r\n", kBad},
    {"overflow", "fffffffffffffffff\r\n", kBad},
    {"bare_lf_after_size", "5\nhello\r\n0\r\n\r\n", kBad},
    {"bare_cr_after_size", "5\rhello\r\n0\r\n\r\n", kBad},
    {"cr_cr", "5\r\r\nhello\r\n0\r\n\r\n", kBad},
    {"bare_lf_after_data", "5\r\nhello\n0\r\n\r\n", kBad},
    {"data_too_long", "5\r\nhello!\r\n0\r\n\r\n", kBad},
    {"data_without_end", "5\r\nhello0\r\n\r\n", kBad},
    {"empty_extension", "5;\r\nhello\r\n0\r\n\r\n", kBad},
    {"extension_with_space", "5; a\r\nhello\r\n0\r\n\r\n", kBad},
    {"extension_bare_lf", "5;a\nb\r\nhello\r\n0\r\n\r\n", kBad},
    {"extension_open_quote", "5;a=\"b\r\nhello\r\n0\r\n\r\n", kBad},
    {"extension_nul", std::string("5;a\0\r\nhello\r\n0\r\n\r\n", 19), kBad},
    {"extension_too_long", "5;" + std::string(5000, 'a') + "\r\nhello\r\n0\r\n\r\n", kBad},
    {"end_bare_lf", "0\r\n\n", kBad},
    {"trailer_fold", "0\r\nA: b\r\n c\r\n\r\n", kBad},
    {"trailer_bare_lf", "0\r\nA: b\n\r\n", kBad},
    {"trailer_space_before_colon", "0\r\nA : b\r\n\r\n", kBad},
    {"trailer_too_long", "0\r\nA: " + std::string(70000, 'b') + "\r\n\r\n", kBad},
};

constexpr std::string_view kHead = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr std::string_view kNext = "GET / HTTP/1.1\r\n";

struct Outcome {
    std::size_t consumed = 0;
    bool done = false;
    HttpFault fault = HttpFault::none;
    bool operator==(const Outcome&) const = default;
};

Outcome run(std::string_view body, std::size_t piece) {
    RequestParser parser;
    Http1Head head;
    EXPECT_EQ(parser.head(kHead, head), HttpFault::none);
    Outcome out;
    while (!body.empty() && !out.done && out.fault == HttpFault::none) {
        const auto step = parser.body(as_bytes(body.substr(0, piece)));
        out.consumed += step.consumed;
        out.done = step.done;
        out.fault = step.fault;
        body.remove_prefix(step.consumed);
    }
    return out;
}

class ChunkedTable : public testing::TestWithParam<ChunkedCase> {};

TEST_P(ChunkedTable, IsJudgedTheSameInAnyPieces) {
    const auto& row = GetParam();
    const std::string stream = row.body + (row.fault == kGood ? std::string(kNext) : "");
    const Outcome whole = run(stream, stream.size());
    EXPECT_EQ(whole.fault, row.fault);
    EXPECT_EQ(whole.done, row.fault == kGood);
    if (row.fault == kGood) {
        EXPECT_EQ(whole.consumed, row.body.size());
    }
    for (const std::size_t piece : {1, 2, 3, 5, 7}) EXPECT_EQ(run(stream, piece), whole) << piece;
}

INSTANTIATE_TEST_SUITE_P(Cases, ChunkedTable, testing::ValuesIn(kCases),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace umbra::wire
