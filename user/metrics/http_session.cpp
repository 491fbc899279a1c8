#include "metrics/http_session.h"

#include <asio/buffer.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>

#include "wire/http1_request.h"

namespace umbra::metrics {

namespace {

constexpr std::chrono::milliseconds kDrainTime{1000};

}  // namespace

HttpSession::HttpSession(HttpServer& server, asio::ip::tcp::socket socket)
    : server_(server), socket_(std::move(socket)), deadline_(socket_.get_executor()) {}

void HttpSession::start_deadline(std::chrono::milliseconds time) {
    deadline_.expires_after(time);
    deadline_.async_wait([self = shared_from_this()](const asio::error_code& error) {
        if (!error) self->finish();
    });
}

void HttpSession::read_head() {
    waits_ = true;
    start_deadline(server_.limits_.head_time);
    asio::async_read_until(socket_, asio::dynamic_buffer(buffer_, server_.limits_.head_bytes), "\r\n\r\n",
                           [self = shared_from_this()](const asio::error_code& error, std::size_t length) {
                               if (self->closed_) return;
                               if (error == asio::error::not_found)
                                   return self->refuse(431, "the request's head is too large");
                               if (error) return self->finish();
                               self->head_arrived(length);
                           });
}

void HttpSession::head_arrived(std::size_t length) {
    wire::Http1Head head;
    const std::string text = buffer_.substr(0, length);
    buffer_.erase(0, length);
    if (wire::RequestParser().head(text, head) != wire::HttpFault::none)
        return refuse(400, "this is no valid HTTP/1 request");
    deadline_.cancel();
    waits_ = false;
    // A body is neither needed nor read: the connection ends with the answer.
    keep_ = head.version_minor == 1 && !head.close && !head.upgrade && head.body == wire::BodyKind::none;
    body_wanted_ = head.method != "HEAD";
    HttpRequest request{std::string(head.method), std::string(head.target.substr(0, head.target.find('?')))};
    server_.handler_(request, [self = shared_from_this()](HttpAnswer answer) { self->respond(std::move(answer)); });
}

void HttpSession::refuse(int status, const std::string& line) {
    keep_ = false;
    respond(plain(status, line));
}

void HttpSession::respond(HttpAnswer answer) {
    if (closed_) return;
    answer_ = std::move(answer);
    if (answer_.status == 405) keep_ = false;
    head_ = head_of(answer_, keep_);
    waits_ = true;
    start_deadline(server_.limits_.write_time);
    const bool with_body = body_wanted_ && answer_.body;
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head_),
                                                  with_body ? asio::buffer(*answer_.body) : asio::const_buffer()};
    asio::async_write(socket_, parts, [self = shared_from_this()](const asio::error_code& error, std::size_t) {
        if (self->closed_) return;
        if (error) return self->finish();
        self->written();
    });
}

void HttpSession::written() {
    answer_ = {};
    if (keep_) return read_head();
    asio::error_code error;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    if (error) return finish();
    start_deadline(kDrainTime);
    drain();
}

// Closing with unread bytes would reset the connection, and the client might lose its answer.
void HttpSession::drain() {
    socket_.async_read_some(asio::buffer(trash_),
                            [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                                if (self->closed_) return;
                                if (error) return self->finish();
                                self->drain();
                            });
}

void HttpSession::close() {
    closed_ = true;
    deadline_.cancel();
    asio::error_code ignored;
    socket_.close(ignored);
}

void HttpSession::finish() {
    if (closed_) return;
    close();
    server_.leave(this);
}

}  // namespace umbra::metrics
