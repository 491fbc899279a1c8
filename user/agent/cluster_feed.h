// ClusterFeed: the loader's end of the feed (kube/feed.h), frames to values and back, in the loader's event loop. One
// controller at a time. A broken or oversized frame ends the connection.
#pragma once

#include <array>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "kube/feed.h"

namespace umbra::agent {

class ClusterFeed {
public:
    struct Events {
        std::function<void(kube::Changes)> changes;
        std::function<void(const std::string& why)> ended;
    };
    ClusterFeed(asio::io_context& io, Events events);
    ~ClusterFeed();

    // The connection of a controller; false if there is one.
    bool adopt(UniqueFd connection);
    bool connected() const { return session_ != nullptr; }
    void close();

    // The newest of each waits until the controller takes it; an older one that still waits is forgotten.
    void send(const kube::Demand& demand);
    void send(const kube::Report& report);

private:
    struct Session;
    void read_header(const std::shared_ptr<Session>& session);
    void read_body(const std::shared_ptr<Session>& session);
    void on_frame(const std::shared_ptr<Session>& session);
    void write_next(const std::shared_ptr<Session>& session);
    void end(const std::shared_ptr<Session>& session, const std::string& why);

    asio::io_context& io_;
    Events events_;
    std::shared_ptr<Session> session_;
    std::optional<std::string> demand_, report_;  // frames that wait
};

}  // namespace umbra::agent
