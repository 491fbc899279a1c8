#include "control/client.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "base/bytes.h"
#include "base/unique_fd.h"
#include "control/address.h"
#include "control/frame.h"

namespace umbra::control {

namespace {

using Clock = std::chrono::steady_clock;

class Connection {
public:
    Connection(std::string path, UniqueFd socket, Clock::time_point deadline)
        : path_(std::move(path)), socket_(std::move(socket)), deadline_(deadline) {}

    // The agent may answer before it has read everything; then sending ends early, and reading tells why.
    Result<void> send(Bytes bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent >= 0) {
                bytes = bytes.subspan(static_cast<std::size_t>(sent));
            } else if (errno == EPIPE || errno == ECONNRESET) {
                return {};
            } else if (auto waited = wait(POLLOUT); !waited) {
                return waited;
            }
        }
        return {};
    }

    Result<void> receive(std::span<std::byte> bytes) {
        while (!bytes.empty()) {
            const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
            if (got > 0) {
                bytes = bytes.subspan(static_cast<std::size_t>(got));
            } else if (got == 0 || errno == ECONNRESET) {
                return failure("it closed the connection without an answer",
                               "root, the agent's user and, for reading, members of group 'umbra' are served");
            } else if (auto waited = wait(POLLIN); !waited) {
                return waited;
            }
        }
        return {};
    }

private:
    Result<void> wait(short events) {
        if (errno == EINTR) return {};
        if (errno != EAGAIN) return failure(std::strerror(errno), "");
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
        pollfd entry{socket_.get(), events, 0};
        if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) == 0) return failure("no answer in time", "");
        return {};
    }
    Error failure(const std::string& cause, std::string hint) const {
        return {ErrorCode::failure, "ask, agent at '" + path_ + "': " + cause, std::move(hint)};
    }

    std::string path_;
    UniqueFd socket_;
    Clock::time_point deadline_;
};

// A full backlog is the agent being busy for a moment.
int connect_until(int socket, const sockaddr_un& address, Clock::time_point deadline) {
    constexpr int kPauseMs = 5;
    while (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        if (errno != EAGAIN || Clock::now() >= deadline) return errno;
        ::poll(nullptr, 0, kPauseMs);
    }
    return 0;
}

Result<UniqueFd> connect_to(const std::string& path, Clock::time_point deadline) {
    const auto address = unix_address(path);
    if (!address) return address.error();
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int cause = socket ? connect_until(socket.get(), *address, deadline) : errno;
    if (cause == 0) return socket;
    const bool absent = cause == ENOENT || cause == ECONNREFUSED;
    const bool denied = cause == EACCES || cause == EPERM;
    return Error{denied ? ErrorCode::privilege : ErrorCode::failure,
                 "connect, agent at '" + path + "': " + std::strerror(cause),
                 absent   ? "is it running? start it with `umbra run`, or name its socket with --socket"
                 : denied ? "run as root or, for reading, as a member of group 'umbra'"
                          : ""};
}

}  // namespace

Result<Response> ask(const std::string& socket_path, const Json& request, std::chrono::milliseconds timeout) {
    const std::string text = encode(request);
    if (text.size() > kMaxRequestBytes) {
        return Error{ErrorCode::failure,
                     "send, request of " + std::to_string(text.size()) + " bytes: the agent takes at most " +
                         std::to_string(kMaxRequestBytes),
                     "apply the documents in several steps, the registry first"};
    }
    const auto deadline = Clock::now() + timeout;
    auto socket = connect_to(socket_path, deadline);
    if (!socket) return socket.error();
    Connection connection(socket_path, std::move(*socket), deadline);
    const FrameHeader header = frame_header(text.size());
    if (auto sent = connection.send(std::as_bytes(std::span(header))); !sent) return sent.error();
    if (auto sent = connection.send(as_bytes(text)); !sent) return sent.error();

    FrameHeader answer_header{};
    if (auto got = connection.receive(std::as_writable_bytes(std::span(answer_header))); !got) return got.error();
    const std::size_t length = frame_length(answer_header);
    if (length > kMaxResponseBytes)
        return Error{ErrorCode::failure, "read, response of " + std::to_string(length) + " bytes: above the limit"};
    std::string answer(length, '\0');
    if (auto got = connection.receive(std::as_writable_bytes(std::span(answer))); !got) return got.error();
    return decode_response(answer);
}

}  // namespace umbra::control
