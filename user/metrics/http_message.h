// Requests and answers of the exporter's pages, as values.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace umbra::metrics {

struct HttpRequest {
    std::string method;
    std::string path;  // without a query
};

struct HttpAnswer {
    int status = 200;
    std::string type = "text/plain; charset=utf-8";
    std::shared_ptr<const std::string> body;
};

// The status line, the fields and the empty line. keep: the connection stays open.
std::string head_of(const HttpAnswer& answer, bool keep);

HttpAnswer plain(int status, const std::string& line);

// Called in the server's thread, at once or later, at most once.
using HttpReply = std::function<void(HttpAnswer)>;
using HttpHandler = std::function<void(const HttpRequest&, HttpReply)>;

}  // namespace umbra::metrics
