// ControlServer: answers requests on a Listener, in the thread that runs the io_context. It knows frames, limits and
// peers, no verbs: the handler does. A slow or silent client costs one of kMaxClients places until its deadline, and
// readers never hold them all.
// The listener, the handler and what it refers to outlive the server; the io_context must not run after the server.
#pragma once

#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "control/frame.h"
#include "control/listener.h"
#include "control/message.h"
#include "control/peer.h"

namespace umbra::control {

class Session;

// Called for peers that may at least read.
using Handler = std::function<Response(const Peer&, const Json& request)>;

struct ServerOptions {
    std::optional<gid_t> readers;
    std::chrono::milliseconds deadline = kDeadline;
};

class ControlServer {
public:
    static Result<std::unique_ptr<ControlServer>> make(asio::io_context& io, const Listener& listener, Handler handler,
                                                       ServerOptions options);
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

    std::size_t clients() const { return sessions_.size(); }
    // Who is being served is served to the end.
    void stop_accepting();

private:
    friend class Session;
    ControlServer(asio::io_context& io, Handler handler, ServerOptions options);
    void accept();
    void admit(asio::local::stream_protocol::socket socket);
    bool has_place_for(const Peer& peer) const;
    void leave(const std::shared_ptr<Session>& session) { sessions_.erase(session); }

    asio::local::stream_protocol::acceptor acceptor_;
    Handler handler_;
    ServerOptions options_;
    std::set<std::shared_ptr<Session>> sessions_;
};

}  // namespace umbra::control
