// HttpServer: a small HTTP/1.1 server for GET and HEAD, in the thread that runs the io_context. Everything of a client
// is bounded: connections, the size of a head, the time of each step. When all places are taken, a new client gets that
// of the one that has kept the server waiting longest, so that no number of silent or slow clients keeps others out.
// The handler and what it refers to outlive the server; the io_context must not run after the server.
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "base/result.h"
#include "metrics/http_message.h"
#include "net/ip_address.h"

namespace umbra::metrics {

class HttpSession;

struct HttpLimits {
    std::size_t connections = 64;
    std::size_t head_bytes = 8192;
    std::chrono::milliseconds head_time{5000};    // from the connection, or the last answer, to a whole request
    std::chrono::milliseconds write_time{10000};  // for taking a whole answer
};

class HttpServer {
public:
    static Result<std::unique_ptr<HttpServer>> listen(asio::io_context& io, const Endpoint& at, HttpHandler handler,
                                                      HttpLimits limits = {});
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    // The port that was chosen if 0 was asked for.
    std::uint16_t port() const;
    std::size_t connections() const { return sessions_.size(); }

private:
    friend class HttpSession;
    HttpServer(asio::io_context& io, HttpHandler handler, HttpLimits limits);
    void accept();
    void admit(asio::ip::tcp::socket socket);
    void make_room();
    void leave(const HttpSession* session);

    asio::ip::tcp::acceptor acceptor_;
    asio::steady_timer pause_;
    HttpHandler handler_;
    HttpLimits limits_;
    std::vector<std::shared_ptr<HttpSession>> sessions_;  // the oldest first
};

}  // namespace umbra::metrics
