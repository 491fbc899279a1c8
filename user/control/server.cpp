#include "control/server.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "control/session.h"

namespace umbra::control {

Result<std::unique_ptr<ControlServer>> ControlServer::make(asio::io_context& io, const Listener& listener,
                                                           Handler handler, ServerOptions options) {
    UniqueFd fd(::fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0));
    if (!fd) return Error{ErrorCode::failure, "duplicate, control socket: " + std::string(std::strerror(errno))};
    std::unique_ptr<ControlServer> server(new ControlServer(io, std::move(handler), options));
    asio::error_code error;
    server->acceptor_.assign(asio::local::stream_protocol(), fd.get(), error);
    if (error) return Error{ErrorCode::failure, "serve, '" + listener.path() + "': " + error.message()};
    static_cast<void>(fd.release());
    server->accept();
    return server;
}

ControlServer::ControlServer(asio::io_context& io, Handler handler, ServerOptions options)
    : acceptor_(io), handler_(std::move(handler)), options_(options) {}

ControlServer::~ControlServer() {
    for (const auto& session : sessions_) session->close();
}

void ControlServer::stop_accepting() {
    asio::error_code ignored;
    acceptor_.close(ignored);
}

void ControlServer::accept() {
    acceptor_.async_accept([this](const asio::error_code& error, asio::local::stream_protocol::socket socket) {
        if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
        if (!error) admit(std::move(socket));
        accept();
    });
}

void ControlServer::admit(asio::local::stream_protocol::socket socket) {
    const auto peer = identify_peer(socket.native_handle(), options_.readers);
    if (!peer || !peer->may_read) return;
    // As many again may be told that there is no place.
    if (sessions_.size() >= 2 * kMaxClients) return;
    const bool has_place = has_place_for(*peer);
    const auto session = std::make_shared<Session>(*this, *peer, std::move(socket));
    sessions_.insert(session);
    if (has_place) return session->read_request();
    session->respond(Response::failure(
        {ErrorCode::failure,
         "serve: " + std::to_string(peer->may_change ? kMaxClients : kMaxReaders) + " clients are connected already",
         "try again"}));
}

bool ControlServer::has_place_for(const Peer& peer) const {
    std::size_t clients = 0, readers = 0;
    for (const auto& session : sessions_) {
        if (!session->is_served()) continue;
        ++clients;
        if (!session->peer().may_change) ++readers;
    }
    return clients < kMaxClients && (peer.may_change || readers < kMaxReaders);
}

}  // namespace umbra::control
