#include "control/session.h"

#include <array>
#include <asio/buffer.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

namespace umbra::control {

Session::Session(ControlServer& server, const Peer& peer, asio::local::stream_protocol::socket socket)
    : server_(server), peer_(peer), socket_(std::move(socket)), deadline_(socket_.get_executor()) {}

void Session::start_deadline() {
    deadline_.expires_after(server_.options_.deadline);
    deadline_.async_wait([self = shared_from_this()](const asio::error_code& error) {
        if (!error) self->finish();
    });
}

void Session::read_request() {
    served_ = true;
    start_deadline();
    asio::async_read(socket_, asio::buffer(header_),
                     [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                         if (error) return self->finish();
                         self->read_body(frame_length(self->header_));
                     });
}

void Session::read_body(std::size_t length) {
    if (length == 0 || length > kMaxRequestBytes) {
        return respond(
            Response::failure({ErrorCode::usage, "read, request of " + std::to_string(length) +
                                                     " bytes: not within 1 to " + std::to_string(kMaxRequestBytes)}));
    }
    body_.resize(length);
    asio::async_read(socket_, asio::buffer(body_),
                     [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                         if (error) return self->finish();
                         self->answer();
                     });
}

void Session::answer() {
    const auto request = decode_request(body_);
    respond(request ? server_.handler_(peer_, *request) : Response::failure(request.error()));
}

void Session::respond(const Response& response) {
    if (closed_) return;
    body_ = encode(response);
    if (body_.size() > kMaxResponseBytes)
        body_ = encode(Response::failure({ErrorCode::failure, "answer, request: the response is above the limit"}));
    header_ = frame_header(body_.size());
    start_deadline();
    const std::array<asio::const_buffer, 2> frame{asio::buffer(header_), asio::buffer(body_)};
    asio::async_write(socket_, frame,
                      [self = shared_from_this()](const asio::error_code&, std::size_t) { self->finish(); });
}

void Session::close() {
    closed_ = true;
    deadline_.cancel();
    asio::error_code ignored;
    socket_.close(ignored);
}

void Session::finish() {
    if (closed_) return;
    close();
    server_.leave(shared_from_this());
}

}  // namespace umbra::control
