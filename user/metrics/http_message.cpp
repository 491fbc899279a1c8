#include "metrics/http_message.h"

#include <fmt/format.h>

namespace umbra::metrics {

namespace {

const char* phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 431:
            return "Request Header Fields Too Large";
        default:
            return "Service Unavailable";
    }
}

}  // namespace

std::string head_of(const HttpAnswer& answer, bool keep) {
    return fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n{}{}\r\n",
        answer.status, phrase(answer.status), answer.type, answer.body ? answer.body->size() : 0,
        answer.status == 405 ? "Allow: GET, HEAD\r\n" : "",
        keep ? "Connection: keep-alive\r\n" : "Connection: close\r\n");
}

HttpAnswer plain(int status, const std::string& line) {
    HttpAnswer answer;
    answer.status = status;
    answer.body = std::make_shared<const std::string>(line + "\n");
    return answer;
}

}  // namespace umbra::metrics
