// HttpSession: one connection of the HttpServer: requests one after the other, each with its answer. Asio's operations
// keep it alive; it belongs to its server, which it uses only until close().
#pragma once

#include <array>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "metrics/http_server.h"

namespace umbra::metrics {

class HttpSession : public std::enable_shared_from_this<HttpSession> {
public:
    HttpSession(HttpServer& server, asio::ip::tcp::socket socket);

    void start() { read_head(); }
    void close();
    // Idle, sending a request, or taking an answer.
    bool waits_for_client() const { return waits_; }

private:
    void read_head();
    void head_arrived(std::size_t length);
    void refuse(int status, const std::string& line);
    void respond(HttpAnswer answer);
    void written();
    void drain();
    void finish();
    void start_deadline(std::chrono::milliseconds time);

    HttpServer& server_;
    asio::ip::tcp::socket socket_;
    asio::steady_timer deadline_;
    std::string buffer_;
    std::array<char, 1024> trash_{};
    std::string head_;
    HttpAnswer answer_;
    bool body_wanted_ = true;
    bool keep_ = false;
    bool waits_ = true;
    bool closed_ = false;
};

}  // namespace umbra::metrics
