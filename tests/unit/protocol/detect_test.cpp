#include "protocol/detect.h"

#include <gtest/gtest.h>

#include <string>

namespace umbra {
namespace {

constexpr std::size_t kMaxLine = 1024;

struct Case {
    const char* name;
    std::string first;
    Detection answer;
};

class DetectTable : public testing::TestWithParam<Case> {};

// The answer for a prefix is either "more" or already the final answer.
TEST_P(DetectTable, AnswersOnceAndForAll) {
    const Case& row = GetParam();
    EXPECT_EQ(detect(row.first, kMaxLine), row.answer);
    bool answered = false;
    for (std::size_t n = 0; n <= row.first.size(); ++n) {
        const Detection part = detect(row.first.substr(0, n), kMaxLine);
        if (answered || part != Detection::need_more) {
            EXPECT_EQ(part, row.answer) << n;
            answered = true;
        }
    }
}

const Case kCases[] = {
    {"nothing", "", Detection::need_more},
    {"get", "GET / HTTP/1.1\r\n", Detection::http1},
    {"part_of_method", "GE", Detection::need_more},
    {"no_line_end", "GET / HTTP/1.1", Detection::need_more},
    {"empty_lines_first", "\r\n\r\nPOST /a HTTP/1.0\r\n", Detection::http1},
    {"unknown_method", "BREW /pot HTTP/1.1\r\n", Detection::http1},
    {"bare_lf", "GET / HTTP/1.1\n", Detection::http1},
    {"long_line", "GET /" + std::string(2000, 'a'), Detection::http1},
    {"preface", "PRI * HTTP/2.0\r\n", Detection::http2},
    {"tls_hello", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), Detection::tls},
    {"tls_alert", std::string("\x15\x03\x01\x00\x02\x01\x00", 7), Detection::raw},
    {"tls_like", std::string("\x16\x03\x01\x02\x00\x02", 6), Detection::raw},
    {"tls_part", std::string("\x16\x03\x03", 3), Detection::need_more},
    {"not_tls_version", std::string("\x16\x05", 2), Detection::raw},
    {"redis", "*1\r\n$4\r\nPING\r\n", Detection::raw},
    {"redis_inline", "PING\r\n", Detection::raw},
    {"redis_inline_get", "GET key\r\n", Detection::raw},
    {"postgres", std::string("\0\0\0\x52\0\3\0\0", 8), Detection::raw},
    {"mqtt", std::string("\x10\x1b\0\4MQTT", 8), Detection::raw},
    {"smtp", "EHLO example.org\r\n", Detection::raw},
    {"rtsp", "OPTIONS * RTSP/1.0\r\n", Detection::raw},
    {"http09", "GET /\r\n", Detection::raw},
    {"ssh", "SSH-2.0-OpenSSH\r\n", Detection::raw},
    {"long_word", std::string(30, 'A'), Detection::raw},
};

INSTANTIATE_TEST_SUITE_P(Cases, DetectTable, testing::ValuesIn(kCases), [](const auto& row) { return row.param.name; });

TEST(ResponsePrefix, TellsFinalInterimAndSwitch) {
    EXPECT_TRUE(begins_final_response("HTTP/1.1 200 OK\r"));
    EXPECT_TRUE(begins_final_response("HTTP/1.0 503 Ser"));
    EXPECT_TRUE(begins_final_response("HTTP/1.1 404"));
    EXPECT_FALSE(begins_final_response("HTTP/1.1 100 Con"));
    EXPECT_FALSE(begins_final_response("HTTP/1.1 101 Swi"));
    EXPECT_FALSE(begins_final_response("HTTP/1.1 20"));
    EXPECT_FALSE(begins_final_response("HTTP/1.1 2000 OK"));
    EXPECT_FALSE(begins_final_response("HTTP/2.0 200 OK\r"));
    EXPECT_FALSE(begins_final_response("xHTTP/1.1 200 OK"));
    EXPECT_FALSE(begins_final_response(""));
    EXPECT_TRUE(begins_switch("HTTP/1.1 101 Swi"));
    EXPECT_FALSE(begins_switch("HTTP/1.1 100 Con"));
    EXPECT_TRUE(begins_response("HTTP/1.1 100 Con"));
}

}  // namespace
}  // namespace umbra
