#include "agent/terminator_life.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include "control/peer.h"

namespace umbra::agent {

TerminatorLife::TerminatorLife(asio::io_context& io, Runtime& runtime, const control::Listener* socket,
                               std::optional<gid_t> peers, std::function<void()> changed)
    : io_(io), runtime_(runtime), socket_(socket), peers_(peers), changed_(std::move(changed)), timer_(io) {}

Result<void> TerminatorLife::begin() {
    if (!socket_) {
        if (auto started = runtime_.start_terminator(); !started) return started;
        watch();
        return {};
    }
    door_.emplace(io_, socket_->fd());
    watch_door();
    return {};
}

void TerminatorLife::watch() {
    back_off_.started();
    process_.emplace(io_, runtime_.terminator()->process_fd());
    process_->when_readable([this] { on_readable(); });
}

void TerminatorLife::on_readable() {
    if (runtime_.terminator()->has_ended()) return on_end();
    process_->when_readable([this] { on_readable(); });
}

void TerminatorLife::on_end() {
    process_.reset();
    const std::string how = runtime_.terminator_ended();
    spdlog::error("the terminator ended how=\"{}\"; nothing is mirrored until {}", how,
                  socket_ ? "one connects" : "it runs again");
    if (!socket_) restart_later();
    changed_();
}

void TerminatorLife::restart_later() {
    const auto pause = back_off_.next();
    timer_.expires_after(pause);
    timer_.async_wait([this](const asio::error_code& error) {
        if (!error) restart();
    });
}

void TerminatorLife::hold(bool held) {
    held_ = held;
    if (!held && !socket_ && !runtime_.terminator()) restart_later();
}

void TerminatorLife::restart() {
    if (held_) return;
    const auto started = runtime_.start_terminator();
    if (!started) {
        spdlog::error("the terminator could not be restarted: {}", started.error().message);
        if (runtime_.terminator()) return on_end();
        return restart_later();
    }
    spdlog::info("the terminator runs again pid={}", runtime_.terminator()->pid());
    watch();
    changed_();
}

void TerminatorLife::watch_door() {
    door_->when_readable([this] {
        if (admit()) return watch_door();
        timer_.expires_after(back_off_.next());
        timer_.async_wait([this](const asio::error_code& error) {
            if (!error && door_) watch_door();
        });
    });
}

bool TerminatorLife::admit() {
    UniqueFd connection(::accept4(socket_->fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) return false;
    if (held_) return false;
    const auto peer = control::identify_peer(connection.get(), peers_);
    if (!peer || !peer->may_read) {
        spdlog::warn("a terminator was refused: its user is not of the agent's group");
        return false;
    }
    if (runtime_.terminator()) {
        spdlog::warn("a second terminator was refused uid={}", peer->uid);
        return false;
    }
    const auto adopted = runtime_.adopt_terminator(std::move(connection));
    if (!adopted) {
        spdlog::error("the terminator could not be set up: {}", adopted.error().message);
        if (runtime_.terminator()) on_end();
        return false;
    }
    spdlog::info("the terminator has connected uid={}", peer->uid);
    watch();
    changed_();
    return true;
}

}  // namespace umbra::agent
