#include "kube/feed_link.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "control/address.h"
#include "kube/json_text.h"

namespace umbra::kube {

namespace {

constexpr std::size_t kReadBytes = 64u << 10;
constexpr int kReadsPerStep = 64;

}  // namespace

FeedLink::FeedLink(std::string path, Random random) : path_(std::move(path)), random_(std::move(random)) {}

FeedLink::FeedLink(UniqueFd connected) : socket_(std::move(connected)), connects_(1) {
    const int flags = ::fcntl(socket_.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK) != 0) socket_.reset();
}

void FeedLink::step(TimeNs now) {
    if (!socket_ && !path_.empty() && now >= retry_at_) connect(now);
    if (socket_ && connected_at_ == 0) connected_at_ = now;
    if (socket_) receive(now);
    if (socket_) write(now);
}

void FeedLink::connect(TimeNs now) {
    const auto address = control::unix_address(path_);
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const bool done = address && socket &&
                      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) == 0;
    if (!done) {
        if (!std::exchange(said_lost_, true))
            spdlog::info("waiting for the loader at {}: {}", path_, std::strerror(errno));
        retry_at_ = now + backoff_.next(random_);
        return;
    }
    said_lost_ = false;
    socket_ = std::move(socket);
    connected_at_ = now;
    ++connects_;
    spdlog::info("connected to the loader at {}", path_);
}

void FeedLink::lose(TimeNs now, const std::string& cause) {
    spdlog::warn("the connection to the loader ended: {}", cause);
    socket_.reset();
    frames_.reset();
    waiting_.clear();
    arrived_.clear();
    retry_at_ = now + backoff_.next(random_ ? random_ : [] { return 0.0; });
}

void FeedLink::receive(TimeNs now) {
    std::array<char, kReadBytes> buffer;
    for (int i = 0; i < kReadsPerStep; ++i) {
        const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (got <= 0) return lose(now, got == 0 ? "closed by the loader" : std::strerror(errno));
        frames_.add({buffer.data(), static_cast<std::size_t>(got)});
        while (const auto text = frames_.next()) {
            auto message = parse_json(*text);
            if (!message || !message->is_object()) return lose(now, "a frame that is no JSON object");
            arrived_.push_back(std::move(*message));
            backoff_.reset();
        }
        if (frames_.broken()) return lose(now, "a frame above its limit");
    }
}

void FeedLink::write(TimeNs now) {
    std::size_t done = 0;
    while (done < waiting_.size()) {
        const ssize_t sent = ::send(socket_.get(), waiting_.data() + done, waiting_.size() - done, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (sent <= 0) return lose(now, std::strerror(errno));
        done += static_cast<std::size_t>(sent);
    }
    if (done != 0) backoff_.reset();
    waiting_.erase(0, done);
}

std::optional<pollfd> FeedLink::wants() const {
    if (!socket_) return std::nullopt;
    return pollfd{socket_.get(), static_cast<short>(waiting_.empty() ? POLLIN : POLLIN | POLLOUT), 0};
}

}  // namespace umbra::kube
