#include "replay/mirror_link.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <asio/post.hpp>
#include <utility>

namespace umbra {

namespace {
constexpr std::size_t kWriteParts = 16;
}

void ConnectionList::add(std::shared_ptr<Connection> connection) {
    connection->list_index = all_.size();
    all_.push_back(std::move(connection));
    bump(worker_.connections);
}

void ConnectionList::remove(Connection& connection) {
    const std::size_t index = connection.list_index;
    std::swap(all_[index], all_.back());
    all_[index]->list_index = index;
    all_.pop_back();
    drop_gauge(worker_.connections);
}

bool ConnectionList::evict_idle() {
    for (std::size_t looked = 0; looked < all_.size(); ++looked) {
        next_victim_ = next_victim_ + 1 < all_.size() ? next_victim_ + 1 : 0;
        ConnectionEvents* owner = all_[next_victim_]->owner();
        if (!owner || !owner->idle()) continue;
        owner->on_evicted();
        return true;
    }
    return false;
}

void SendSoonList::run() {
    posted = false;
    while (!links.empty()) {
        MirrorLink* link = links.back();
        links.pop_back();
        link->sending_now();
    }
}

MirrorLink::~MirrorLink() {
    if (send_soon_) std::erase(shared_.send_soon->links, this);
    drop(false);
    unqueue_front(queue_.size());
}

MirrorLink::Status MirrorLink::acquire(Target& target, bool guard) {
    if (connection_ && !connection_->connected()) return Status::connecting;
    if (connection_ && usable(target, guard)) return Status::ready;
    drop(false);
    return try_endpoints(target, guard);
}

bool MirrorLink::usable(const Target& target, bool guard) {
    return guarded_ == guard && target.contains(connection_->endpoint()) && connection_->quiet();
}

MirrorLink::Status MirrorLink::try_endpoints(Target& target, bool guard) {
    if (target.endpoints.empty()) return fail(Reason::no_endpoint);
    if (attempts_ == 0) {
        cursor_ = target.next++ % target.endpoints.size();
        failure_ = Reason::breaker_open;
    }
    while (attempts_ < target.endpoints.size()) {
        const Endpoint endpoint = target.endpoints[cursor_++ % target.endpoints.size()];
        ++attempts_;
        if (!shared_.targets.breaker(endpoint).allow(shared_.now)) continue;
        if (shared_.connections.size() >= shared_.limits.connections && !shared_.connections.evict_idle()) {
            shared_.targets.breaker(endpoint).cancelled();
            return fail(Reason::connection_limit);
        }
        const auto refused = connect(endpoint, guard);
        if (!refused) return Status::connecting;
        shared_.targets.breaker(endpoint).failed(shared_.now);
        failure_ = *refused;
    }
    return fail(failure_);
}

MirrorLink::Status MirrorLink::fail(Reason reason) {
    attempts_ = 0;
    failure_ = reason;
    return Status::failed;
}

std::optional<Reason> MirrorLink::connect(const Endpoint& endpoint, bool guard) {
    const Connection::Settings settings{endpoint, guard ? &shared_.own : nullptr};
    ConnectionEvents& events = *this;
    auto connection = std::make_shared<Connection>(shared_.io, events, settings);
    if (const auto refused = connection->start()) return refused;
    guarded_ = guard;
    connection_ = connection;
    shared_.connections.add(std::move(connection));
    bump(shared_.worker.connections_opened);
    progress();
    return std::nullopt;
}

void MirrorLink::drop(bool reset) {
    if (!connection_) return;
    if (!connection_->connected()) shared_.targets.breaker(connection_->endpoint()).cancelled();
    const auto connection = std::move(connection_);
    connection_ = nullptr;
    connection->close(reset);
    shared_.connections.remove(*connection);
}

void MirrorLink::on_connected() {
    attempts_ = 0;
    ++shared_.answers.connections_made;
    progress();
    shared_.targets.breaker(connection_->endpoint()).succeeded();
    events_.link_changed();
}

void MirrorLink::on_connect_failed(Reason reason) {
    const Endpoint endpoint = connection_->endpoint();
    drop(false);
    shared_.targets.breaker(endpoint).failed(shared_.now);
    failure_ = reason;
    events_.link_changed();
}

void MirrorLink::on_tick() {
    if (connection_->connected()) return events_.link_tick();
    if (shared_.now - progress_at_ > shared_.limits.connect_timeout) on_connect_failed(Reason::connect_timeout);
}

std::optional<Reason> MirrorLink::enqueue(Bytes bytes) {
    if (queue_.size() + bytes.size() > shared_.limits.flow_queue_bytes) return Reason::flow_queue;
    if (!queue_.append(bytes)) return Reason::total_queue;
    bump(shared_.worker.queued_bytes, bytes.size());
    return std::nullopt;
}

void MirrorLink::unqueue_front(std::size_t count) {
    queue_.pop_front(count);
    drop_gauge(shared_.worker.queued_bytes, count);
}

void MirrorLink::unqueue_back(std::size_t count) {
    queue_.pop_back(count);
    drop_gauge(shared_.worker.queued_bytes, count);
}

IoResult MirrorLink::send_queued(std::size_t limit) {
    std::size_t sent = 0;
    while (sent < limit) {
        if (connection_->write_blocked()) return {IoResult::Kind::blocked, sent};
        std::array<iovec, kWriteParts> parts;
        const std::size_t used = queue_.front(parts, limit - sent);
        const IoResult result = connection_->write(std::span(parts).first(used));
        if (result.kind == IoResult::Kind::blocked) {
            connection_->wait_writable();
            return {IoResult::Kind::blocked, sent};
        }
        if (result.kind != IoResult::Kind::done) return {result.kind, sent};
        unqueue_front(result.count);
        sent += result.count;
        progress();
    }
    return {IoResult::Kind::done, sent};
}

IoResult MirrorLink::send(Bytes bytes) {
    if (connection_->write_blocked()) return {IoResult::Kind::blocked, 0};
    const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const IoResult result = connection_->write(std::span(&part, 1));
    if (result.kind == IoResult::Kind::blocked) connection_->wait_writable();
    if (result.kind == IoResult::Kind::done) progress();
    return result;
}

void MirrorLink::send_soon() {
    if (std::exchange(send_soon_, true)) return;
    const auto& list = shared_.send_soon;
    list->links.push_back(this);
    if (std::exchange(list->posted, true)) return;
    asio::post(shared_.io, [list] { list->run(); });
}

void MirrorLink::sending_now() {
    send_soon_ = false;
    events_.link_writable();
}

IoResult MirrorLink::read(std::span<std::byte> into) {
    const IoResult result = connection_->read(into);
    if (result.kind == IoResult::Kind::done) {
        progress();
        bump(shared_.worker.response_bytes, result.count);
    }
    return result;
}

}  // namespace umbra
