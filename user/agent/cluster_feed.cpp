#include "agent/cluster_feed.h"

#include <asio/buffer.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

#include "control/frame.h"
#include "kube/feed_frame.h"

namespace umbra::agent {

struct ClusterFeed::Session {
    explicit Session(asio::local::stream_protocol::socket open) : socket(std::move(open)) {}

    asio::local::stream_protocol::socket socket;
    control::FrameHeader header{};
    std::string body;
    std::string writing;
};

ClusterFeed::ClusterFeed(asio::io_context& io, Events events) : io_(io), events_(std::move(events)) {}

ClusterFeed::~ClusterFeed() { close(); }

bool ClusterFeed::adopt(UniqueFd connection) {
    if (session_) return false;
    asio::local::stream_protocol::socket socket(io_);
    asio::error_code error;
    socket.assign(asio::local::stream_protocol(), connection.get(), error);
    if (error) return false;
    (void)connection.release();
    session_ = std::make_shared<Session>(std::move(socket));
    read_header(session_);
    return true;
}

void ClusterFeed::close() {
    if (!session_) return;
    asio::error_code ignored;
    session_->socket.close(ignored);
    session_.reset();
    demand_.reset();
    report_.reset();
}

void ClusterFeed::send(const kube::Demand& demand) {
    if (!session_) return;
    demand_ = kube::frame("demand", to_json(demand));
    write_next(session_);
}

void ClusterFeed::send(const kube::Report& report) {
    if (!session_) return;
    report_ = kube::frame("report", to_json(report));
    write_next(session_);
}

void ClusterFeed::read_header(const std::shared_ptr<Session>& session) {
    asio::async_read(session->socket, asio::buffer(session->header),
                     [this, session](const asio::error_code& error, std::size_t) {
                         if (session != session_) return;
                         if (error) return end(session, "the controller closed the connection");
                         read_body(session);
                     });
}

void ClusterFeed::read_body(const std::shared_ptr<Session>& session) {
    const std::size_t length = control::frame_length(session->header);
    if (length > kube::kMaxFrameBytes) return end(session, "a frame of " + std::to_string(length) + " bytes");
    session->body.resize(length);
    asio::async_read(session->socket, asio::buffer(session->body),
                     [this, session](const asio::error_code& error, std::size_t) {
                         if (session != session_) return;
                         if (error) return end(session, "the connection ended within a frame");
                         on_frame(session);
                     });
}

void ClusterFeed::on_frame(const std::shared_ptr<Session>& session) {
    auto changes = kube::changes_in(session->body);
    session->body = {};
    if (!changes) return end(session, changes.error().message);
    events_.changes(std::move(*changes));
    if (session == session_) read_header(session);
}

void ClusterFeed::write_next(const std::shared_ptr<Session>& session) {
    if (!session->writing.empty()) return;
    auto& next = demand_ ? demand_ : report_;
    if (!next) return;
    session->writing = std::move(*next);
    next.reset();
    asio::async_write(session->socket, asio::buffer(session->writing),
                      [this, session](const asio::error_code& error, std::size_t) {
                          if (session != session_ || error) return;  // reading notices the end
                          session->writing.clear();
                          write_next(session);
                      });
}

void ClusterFeed::end(const std::shared_ptr<Session>& session, const std::string& why) {
    if (session != session_) return;
    close();
    events_.ended(why);
}

}  // namespace umbra::agent
