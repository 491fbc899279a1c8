#include "metrics/http_server.h"

#include <algorithm>
#include <utility>

#include "metrics/http_session.h"

namespace umbra::metrics {

namespace {

constexpr std::chrono::milliseconds kPause{100};

asio::ip::tcp::endpoint as_asio(const Endpoint& endpoint) {
    const auto& bytes = endpoint.address.bytes;
    if (!endpoint.address.is_v4()) return {asio::ip::address_v6(bytes), endpoint.port};
    return {asio::ip::address_v4({bytes[12], bytes[13], bytes[14], bytes[15]}), endpoint.port};
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(asio::io_context& io, const Endpoint& at, HttpHandler handler,
                                                       HttpLimits limits) {
    std::unique_ptr<HttpServer> server(new HttpServer(io, std::move(handler), limits));
    auto& acceptor = server->acceptor_;
    const auto address = as_asio(at);
    asio::error_code error;
    acceptor.open(address.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(address, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
        return Error{ErrorCode::failure, "listen, " + at.to_string() + ": " + error.message(),
                     "name an address of this host and a free port with --listen"};
    }
    server->accept();
    return server;
}

HttpServer::HttpServer(asio::io_context& io, HttpHandler handler, HttpLimits limits)
    : acceptor_(io), pause_(io), handler_(std::move(handler)), limits_(limits) {}

HttpServer::~HttpServer() {
    for (const auto& session : std::exchange(sessions_, {})) session->close();
}

std::uint16_t HttpServer::port() const {
    asio::error_code error;
    const auto endpoint = acceptor_.local_endpoint(error);
    return error ? std::uint16_t{0} : endpoint.port();
}

// An error that stays, as too many open files, must not become a loop.
void HttpServer::accept() {
    acceptor_.async_accept([this](const asio::error_code& error, asio::ip::tcp::socket socket) {
        if (error == asio::error::operation_aborted) return;
        if (!error) {
            admit(std::move(socket));
            return accept();
        }
        pause_.expires_after(kPause);
        pause_.async_wait([this](const asio::error_code& stopped) {
            if (!stopped) accept();
        });
    });
}

void HttpServer::admit(asio::ip::tcp::socket socket) {
    if (sessions_.size() >= limits_.connections) make_room();
    sessions_.push_back(std::make_shared<HttpSession>(*this, std::move(socket)));
    sessions_.back()->start();
}

void HttpServer::make_room() {
    const auto waits = [](const auto& session) { return session->waits_for_client(); };
    const auto found = std::ranges::find_if(sessions_, waits);
    const auto victim = found == sessions_.end() ? sessions_.front() : *found;
    victim->close();
    leave(victim.get());
}

void HttpServer::leave(const HttpSession* session) {
    std::erase_if(sessions_, [session](const auto& entry) { return entry.get() == session; });
}

}  // namespace umbra::metrics
