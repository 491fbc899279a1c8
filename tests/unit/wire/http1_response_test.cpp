#include "wire/http1_response.h"

#include <gtest/gtest.h>

#include <string>

namespace umbra::wire {
namespace {

using State = ResponseFramer::State;
using Method = ResponseFramer::Method;

struct Case {
    const char* name;
    Method method;
    std::string response;
    State state;
    bool keep_alive;
    State at_end = State::more;
};

class ResponseTable : public testing::TestWithParam<Case> {};

TEST_P(ResponseTable, EndsWhereItShouldInAnyPieces) {
    const Case& row = GetParam();
    for (const std::size_t piece : {row.response.size() + 3, std::size_t{1}, std::size_t{7}}) {
        ResponseFramer framer;
        framer.begin(row.method);
        const std::string stream = row.response + (row.state == State::more ? "" : "XYZ");
        ResponseFramer::Step step;
        std::size_t at = 0;
        while (at < stream.size() && step.state == State::more) {
            step = framer.feed(as_bytes(std::string_view(stream).substr(at, piece)));
            at += step.consumed;
        }
        ASSERT_EQ(step.state, row.state) << piece;
        if (row.state == State::complete) {
            EXPECT_EQ(at, row.response.size()) << piece;
            EXPECT_EQ(framer.keep_alive(), row.keep_alive) << piece;
        }
        if (row.state == State::upgraded) {
            EXPECT_EQ(at, row.response.size()) << piece;
        }
        if (row.state == State::more) {
            EXPECT_EQ(framer.finish(), row.at_end) << piece;
        }
    }
}

const Case kCases[] = {
    {"length", Method::other, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", State::complete, true},
    {"length_zero", Method::other, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", State::complete, true},
    {"close", Method::other, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", State::complete,
     false},
    {"http10", Method::other, "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", State::complete, false},
    {"http10_keep", Method::other, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
     State::complete, true},
    {"chunked", Method::other, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
     State::complete, true},
    {"head", Method::head, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", State::complete, true},
    {"head_without_length", Method::head, "HTTP/1.1 200 OK\r\n\r\n", State::complete, true},
    {"no_content", Method::other, "HTTP/1.1 204 No Content\r\n\r\n", State::complete, true},
    {"not_modified", Method::other, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", State::complete, true},
    {"interim", Method::other,
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
     State::complete, true},
    {"until_close", Method::other, "HTTP/1.1 200 OK\r\n\r\nhello", State::more, false, State::complete},
    {"cut_in_body", Method::other, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", State::more, false},
    {"cut_in_head", Method::other, "HTTP/1.1 200 OK\r\nConte", State::more, false},
    {"nothing", Method::other, "", State::more, false},
    {"only_interim", Method::other, "HTTP/1.1 100 Continue\r\n\r\n", State::more, false},
    {"switching", Method::other, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
     State::upgraded, false},
    {"connected", Method::connect, "HTTP/1.1 200 OK\r\n\r\n", State::upgraded, false},
    {"connect_refused", Method::connect, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", State::complete, true},
    {"garbage", Method::other, "SSH-2.0-OpenSSH\r\n", State::invalid, false},
};

INSTANTIATE_TEST_SUITE_P(Cases, ResponseTable, testing::ValuesIn(kCases),
                         [](const auto& row) { return row.param.name; });

TEST(ResponseFramer, ServesOneResponseAfterTheOther) {
    ResponseFramer framer;
    for (int i = 0; i < 3; ++i) {
        framer.begin(i == 1 ? Method::head : Method::other);
        const std::string text =
            i == 1 ? "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        EXPECT_EQ(framer.feed(as_bytes(text)).state, State::complete);
    }
}

}  // namespace
}  // namespace umbra::wire
