#include "replay/mirror_connection.h"

#include <utility>

#include "edit/edit.h"
#include "replay/replay_shared.h"

namespace umbra {

MirrorConnection::MirrorConnection(ReplayShared& shared, const Setup& setup)
    : shared_(shared),
      target_(&setup.target),
      place_(setup.place),
      client_(setup.client),
      alpn_(setup.alpn),
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

Connection::Settings MirrorConnection::socket_settings() const {
    const rules::MirrorSettings& settings = *target_->settings;
    Connection::Settings made{target_->endpoints[place_], guard_ ? &shared_.own : nullptr};
    made.tls = target_->tls;
    made.alpn = alpn_;
    if (made.tls) made.server_name = tls_server_name(settings.tls, settings.host_literal, made.endpoint);
    if (settings.client_address == rules::ClientAddress::proxy_v2) made.preamble = edit::proxy_v2_header(client_);
    return made;
}

std::optional<Reason> MirrorConnection::start(ConnectionEvents& user) {
    // Nothing may fail once the event loop knows of the connection.
    shared_.connections.make_room();
    make_room_for_one(target_->connections);
    ConnectionEvents& events = *this;
    auto socket = std::make_shared<Connection>(shared_.io, events, socket_settings());
    const bool no_tls = target_->settings->tls.on && !target_->tls;
    if (const auto refused = no_tls ? std::optional(Reason::tls_failed) : socket->start()) {
        if (refused == Reason::connection_limit) {
            breaker().cancelled(permission_);  // ours, not the mirror's fault
        } else {
            breaker().failed(shared_.now, permission_);
        }
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
    fresh_ = true;
    user_->on_connected();
}

void MirrorConnection::on_connect_failed(Reason reason) {
    if (reason == Reason::tls_failed) target_->report_tls_failure();
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
    fresh_ = false;
    socket_->wait_readable();
}

// Nobody asked: the mirror closes, or says something that belongs to no request. What the connection's own layers have
// to say to each other does not count.
void MirrorConnection::heard_while_idle() { socket_->quiet() ? socket_->wait_readable() : target_->pool.close(*this); }

// A mirror that speaks or ends before it was spoken to is no reason to connect to it again.
bool MirrorConnection::fits(Target& target, bool guard) {
    const bool fresh = std::exchange(fresh_, false);
    return (fresh || socket_->quiet()) && belongs_to(target, guard);
}

bool MirrorConnection::belongs_to(Target& target, bool guard) {
    return guard_ == guard && (&target == target_.get() || move_to(target));
}

bool MirrorConnection::move_to(Target& target) {
    const auto place = target.place_of(socket_->endpoint());
    if (!place || !target.connects_like(*target_) || !target.make_room()) return false;
    make_room_for_one(target.connections);
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
