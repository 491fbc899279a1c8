// TerminatorLife: starts the terminator, notices its end, starts it again with a back-off. With a socket it starts none
// itself: it takes the one that connects there, one at a time.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <optional>

#include "agent/back_off.h"
#include "agent/runtime.h"
#include "agent/watched.h"
#include "control/listener.h"

namespace umbra::agent {

class TerminatorLife {
public:
    // socket: SOCK_SEQPACKET; null to fork. changed: called when one has come or gone. All outlive this object.
    // peers: the group whose members may connect.
    TerminatorLife(asio::io_context& io, Runtime& runtime, const control::Listener* socket, std::optional<gid_t> peers,
                   std::function<void()> changed);

    Result<void> begin();
    // None is started or let in while it is held.
    void hold(bool held);
    // No more restarts; the terminator itself is ended by the runtime.
    void end() {
        process_.reset();
        door_.reset();
    }

private:
    void watch();
    void on_readable();
    void on_end();
    void restart_later();
    void restart();
    void watch_door();
    // False: nobody was let in, so the next one has to wait.
    bool admit();

    asio::io_context& io_;
    Runtime& runtime_;
    const control::Listener* socket_;
    std::optional<gid_t> peers_;
    std::function<void()> changed_;
    asio::steady_timer timer_;
    std::optional<Watched> process_;
    std::optional<Watched> door_;
    BackOff back_off_;
    bool held_ = false;
};

}  // namespace umbra::agent
