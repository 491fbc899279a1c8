// Session: one connection of the control socket: a request, a response, the end. Asio's operations keep it alive; it
// belongs to its server, which it uses only until close().
#pragma once

#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "control/server.h"

namespace umbra::control {

class Session : public std::enable_shared_from_this<Session> {
public:
    Session(ControlServer& server, const Peer& peer, asio::local::stream_protocol::socket socket);

    const Peer& peer() const { return peer_; }
    bool is_served() const { return served_; }  // else it is only told that there is no place
    void read_request();
    void respond(const Response& response);
    void close();

private:
    void read_body(std::size_t length);
    void answer();
    void finish();
    void start_deadline();

    ControlServer& server_;
    Peer peer_;
    asio::local::stream_protocol::socket socket_;
    asio::steady_timer deadline_;
    FrameHeader header_{};
    std::string body_;
    bool served_ = false;
    bool closed_ = false;
};

}  // namespace umbra::control
