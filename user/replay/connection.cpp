#include "replay/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"
#include "replay/tls_context.h"

namespace umbra {

namespace {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const Endpoint& endpoint) {
    SocketAddress out;
    if (endpoint.address.is_v4()) {
        auto& in = reinterpret_cast<sockaddr_in&>(out.storage);
        in.sin_family = AF_INET;
        in.sin_port = htons(endpoint.port);
        std::memcpy(&in.sin_addr, endpoint.address.bytes.data() + 12, 4);
        out.size = sizeof in;
    } else {
        auto& in = reinterpret_cast<sockaddr_in6&>(out.storage);
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(endpoint.port);
        std::memcpy(&in.sin6_addr, endpoint.address.bytes.data(), 16);
        out.size = sizeof in;
    }
    return out;
}

Endpoint local_endpoint(int fd) {
    SocketAddress address;
    if (::getsockname(fd, address.get(), &address.size) != 0) return {};
    if (address.storage.ss_family == AF_INET) {
        const auto& in = reinterpret_cast<const sockaddr_in&>(address.storage);
        return {IpAddress::v4(reinterpret_cast<const std::uint8_t*>(&in.sin_addr)), ntohs(in.sin_port)};
    }
    const auto& in = reinterpret_cast<const sockaddr_in6&>(address.storage);
    return {IpAddress::v6(in.sin6_addr.s6_addr), ntohs(in.sin6_port)};
}

Reason connect_reason(int error) {
    if (error == ECONNREFUSED) return Reason::connect_refused;
    return error == ETIMEDOUT ? Reason::connect_timeout : Reason::connect_failed;
}

IoResult to_result(ssize_t count) {
    if (count >= 0) return {IoResult::Kind::done, static_cast<std::size_t>(count)};
    if (errno == EAGAIN || errno == EINTR) return {IoResult::Kind::blocked, 0};
    return {IoResult::Kind::reset, 0};
}

IoResult to_read_result(ssize_t count) {
    if (count == 0) return {IoResult::Kind::closed, 0};
    return to_result(count);
}

}  // namespace

Connection::Connection(asio::io_context& io, ConnectionEvents& owner, const Settings& settings)
    : socket_(io), owner_(&owner), settings_(settings) {}

std::optional<Reason> Connection::start() {
    SocketAddress remote = to_socket_address(settings_.endpoint);
    UniqueFd fd(::socket(remote.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return connect_reason(errno);
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd.get(), remote.get(), remote.size) != 0 && errno != EINPROGRESS) return connect_reason(errno);
    tuple_ = {local_endpoint(fd.get()), settings_.endpoint};
    guarded_ = settings_.guard != nullptr && settings_.guard->add(tuple_);
    if (settings_.guard && !guarded_) return Reason::connection_limit;
    const auto protocol = settings_.endpoint.address.is_v4() ? asio::ip::tcp::v4() : asio::ip::tcp::v6();
    std::error_code error;
    socket_.assign(protocol, fd.get(), error);
    if (error) return Reason::connect_failed;  // what is guarded, close() takes back
    fd.release();
    wait_writable();
    return std::nullopt;
}

void Connection::close(bool reset) {
    owner_ = nullptr;
    if (socket_.is_open()) close_socket(reset);
    if (std::exchange(guarded_, false)) settings_.guard->remove(tuple_);
}

void Connection::close_socket(bool reset) {
    try {
        if (tls_ && connected_ && !reset) reset = !tls_->close();
    } catch (const std::bad_alloc&) {  // destructors come here
        reset = true;
    }
    tls_.reset();
    if (reset) {
        const linger now{1, 0};
        ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    std::error_code ignored;
    socket_.close(ignored);
}

void Connection::connect_finished() {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket_.native_handle(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return owner_->on_connect_failed(connect_reason(error));
    if (!send_preamble()) return owner_->on_connect_failed(Reason::connect_failed);
    if (!settings_.tls) return established();
    std::string name = settings_.server_name;
    if (name.empty()) name = settings_.endpoint.address.to_string();
    tls_ = std::make_unique<TlsStream>(settings_.tls, socket_.native_handle(),
                                       TlsStream::Peer{settings_.endpoint, std::move(name), settings_.alpn});
    handshake();
}

// The buffer of a new socket has room for it.
bool Connection::send_preamble() {
    const std::string& bytes = settings_.preamble;
    if (bytes.empty()) return true;
    const ssize_t count = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return count == static_cast<ssize_t>(bytes.size());
}

void Connection::handshake() {
    switch (tls_->handshake()) {
        case TlsStream::Handshake::done:
            return established();
        case TlsStream::Handshake::wants_read:
            return wait_readable();
        case TlsStream::Handshake::wants_write:
            return wait_writable();
        case TlsStream::Handshake::failed:
            return owner_->on_connect_failed(Reason::tls_failed);
    }
}

void Connection::established() {
    connected_ = true;
    wait_readable();
    owner_->on_connected();
}

IoResult Connection::write(std::span<const iovec> parts) {
    if (tls_) {
        const IoResult result = tls_->write(parts);
        if (tls_->unsent()) wait_writable();
        return result;
    }
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts.data());
    message.msg_iovlen = parts.size();
    return to_result(::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

IoResult Connection::read(std::span<std::byte> into) {
    if (tls_) return tls_->read(into);
    return to_read_result(::recv(socket_.native_handle(), into.data(), into.size(), MSG_DONTWAIT));
}

IoResult Connection::discard(std::size_t most) {
    if (tls_) return tls_->discard(most);
    return to_read_result(::recv(socket_.native_handle(), nullptr, most, MSG_DONTWAIT | MSG_TRUNC));
}

bool Connection::quiet() {
    if (tls_) {
        const bool quiet = tls_->quiet();
        // What it took from the socket, the wait for the socket would miss.
        if (waiting_read_ && tls_->readable_now()) read_soon();
        return quiet;
    }
    std::byte one;
    const ssize_t count = ::recv(socket_.native_handle(), &one, 1, MSG_DONTWAIT | MSG_PEEK);
    return count < 0 && errno == EAGAIN;
}

void Connection::finish_writing() {
    if (!tls_) {
        ::shutdown(socket_.native_handle(), SHUT_WR);
        return;
    }
    tls_->finish_writing();
    if (tls_->unsent()) wait_writable();
}

void Connection::wait_readable() {
    if (waiting_read_) return;
    waiting_read_ = true;
    if (tls_ && tls_->readable_now()) return read_soon();
    const bool on_write = tls_ && tls_->read_wants_write();
    const auto what = on_write ? asio::ip::tcp::socket::wait_write : asio::ip::tcp::socket::wait_read;
    socket_.async_wait(what, [self = shared_from_this()](std::error_code) { self->readable(); });
}

void Connection::read_soon() {
    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->readable(); });
}

void Connection::wait_writable() {
    if (waiting_write_) return;
    waiting_write_ = true;
    const bool on_read = tls_ && tls_->write_wants_read();
    const auto what = on_read ? asio::ip::tcp::socket::wait_read : asio::ip::tcp::socket::wait_write;
    socket_.async_wait(what, [self = shared_from_this()](std::error_code) { self->writable(); });
}

void Connection::readable() {
    waiting_read_ = false;
    if (!owner_) return;
    connected_ ? owner_->on_readable() : handshake();
}

void Connection::writable() {
    waiting_write_ = false;
    if (!owner_) return;
    if (!connected_) return tls_ ? handshake() : connect_finished();
    if (tls_ && tls_->flush() == IoResult::Kind::blocked) return wait_writable();
    owner_->on_writable();
}

}  // namespace umbra
