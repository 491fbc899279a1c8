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
    const auto session = std::make_shared<Session>(*this, std::move(socket));
    // One place more than there are is for telling a client so.
    if (sessions_.size() > kMaxClients) return;
    const bool full = sessions_.size() == kMaxClients;
    sessions_.insert(session);
    if (!full) return session->read_request(*peer);
    session->respond(Response::failure(
        {ErrorCode::failure, "serve: " + std::to_string(kMaxClients) + " clients are connected already", "try again"}));
}

}  // namespace umbra::control
