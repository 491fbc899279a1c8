#include "replay/mirror_connection.h"

#include <sys/uio.h>

#include <string>

#include "edit/edit.h"
#include "replay/replay_shared.h"

namespace umbra {

MirrorConnection::MirrorConnection(ReplayShared& shared, const Setup& setup)
    : shared_(shared),
      target_(&setup.target),
      place_(setup.place),
      client_(setup.client),
      guard_(setup.guard),
      permission_(setup.permission),
      attempt_(setup.target, setup.place, Outstanding::Kind::attempt) {}

MirrorConnection::~MirrorConnection() {
    if (!socket_) return;
    if (!socket_->connected()) breaker().cancelled(permission_);
    socket_->close(reset_);
    shared_.connections.remove(*socket_);
    target_->delist(*this);
    if (target_->pool.waiting() > 0 && !shared_.stopped) ServeSoonList::add(shared_.serve_soon, shared_.io, *target_);
}

Breaker& MirrorConnection::breaker() { return shared_.targets.breaker(target_->endpoints[place_]); }

std::optional<Reason> MirrorConnection::start(ConnectionEvents& user) {
    const Connection::Settings settings{target_->endpoints[place_], guard_ ? &shared_.own : nullptr};
    ConnectionEvents& events = *this;
    auto socket = std::make_shared<Connection>(shared_.io, events, settings);
    if (const auto refused = socket->start()) {
        breaker().failed(shared_.now, permission_);
        return refused;
    }
    user_ = &user;
    socket_ = socket;
    started_at_ = shared_.now;
    shared_.connections.add(std::move(socket));
    target_->enlist(*this);
    bump(shared_.worker.connections_opened);
    return std::nullopt;
}

void MirrorConnection::on_connected() {
    attempt_ = {};
    breaker().succeeded();
    ++shared_.answers.connections_made;
    introduce_client() ? user_->on_connected() : user_->on_connect_failed(Reason::connect_failed);
}

// The first bytes of a connection, where the mirror wants to know whom it is for. A fresh socket takes them at once.
bool MirrorConnection::introduce_client() {
    if (target_->settings->client_address != rules::ClientAddress::proxy_v2) return true;
    std::string text = edit::proxy_v2_header(client_);
    const iovec part{text.data(), text.size()};
    const IoResult result = socket_->write(std::span(&part, 1));
    return result.kind == IoResult::Kind::done && result.count == text.size();
}

void MirrorConnection::on_connect_failed(Reason reason) {
    breaker().failed(shared_.now, permission_);
    permission_ = {};
    user_->on_connect_failed(reason);
}

void MirrorConnection::on_tick() {
    if (!user_) {
        if (shared_.now - started_at_ > target_->timeouts.idle) target_->pool.close(*this);
        return;
    }
    if (socket_->connected()) return user_->on_tick();
    if (shared_.now - started_at_ > target_->timeouts.connect) on_connect_failed(Reason::connect_timeout);
}

void MirrorConnection::use(ConnectionEvents* user) {
    user_ = user;
    started_at_ = shared_.now;
    socket_->wait_readable();
}

// Nobody asked: the mirror closes, or says something that belongs to no request. What the connection's own layers have
// to say to each other does not count.
void MirrorConnection::heard_while_idle() { socket_->quiet() ? socket_->wait_readable() : target_->pool.close(*this); }

bool MirrorConnection::fits(Target& target, bool guard) {
    if (guard_ != guard || !socket_->quiet()) return false;
    return &target == target_.get() || move_to(target);
}

bool MirrorConnection::move_to(Target& target) {
    const auto place = target.place_of(socket_->endpoint());
    const rules::MirrorSettings& now = *target_->settings;
    const rules::MirrorSettings& then = *target.settings;
    if (!place || now.tls != then.tls || now.client_address != then.client_address || !target.make_room()) return false;
    target_->delist(*this);
    target_ = TargetRef(&target);
    place_ = *place;
    target.enlist(*this);
    return true;
}

bool MirrorConnection::evict_if_idle() {
    if (!idle()) return false;
    on_evicted();
    return true;
}

}  // namespace umbra
