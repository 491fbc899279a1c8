#include "replay/mirror_link.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <asio/post.hpp>
#include <utility>

#include "replay/balance.h"

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
    if (waiting_on_ || (connection_ && !connection_->connected())) return Status::connecting;
    if (connection_ && connection_->fits(target, guard)) return Status::ready;
    drop(false);
    if (shares_ && target.pool.must_wait(*this)) return wait(target);
    return try_endpoints(target, guard);
}

void MirrorLink::begin_round(Target& target) {
    if (round_target_.get() == &target && failed_at_ == shared_.now) return;
    round_target_ = TargetRef(&target);
    endpoint_order(target, flow_.client.address, order_);
    attempts_ = 0;
    failure_ = Reason::breaker_open;
}

void MirrorLink::end_round() { round_target_ = {}; }

MirrorLink::Status MirrorLink::try_endpoints(Target& target, bool guard) {
    if (target.endpoints.empty()) return fail(Reason::no_endpoint);
    begin_round(target);
    if (take_any(target, guard)) return Status::ready;
    while (attempts_ < order_.size()) {
        const std::size_t place = order_[attempts_++];
        if (take_pooled(target, place, guard)) return Status::ready;
        Breaker& breaker = shared_.targets.breaker(target.endpoints[place]);
        const Breaker::Permission permission = breaker.allow(shared_.now);
        if (!permission) continue;
        if (!make_room(target)) {
            breaker.cancelled(permission);
            return shares_ && target.full() ? wait(target) : fail(Reason::connection_limit);
        }
        const auto refused = connect({target, place, permission, guard, flow_, alpn_});
        if (!refused) return Status::connecting;
        failure_ = *refused;
    }
    return fail(failure_);
}

bool MirrorLink::make_room(Target& target) {
    if (!target.make_room()) return false;
    if (shared_.limits.connections.forced()) return false;
    return shared_.connections.size() < shared_.limits.connections || shared_.connections.evict_idle();
}

bool MirrorLink::take_pooled(Target& target, std::size_t place, bool guard) {
    if (!shares_) return false;
    auto connection = target.pool.take(target, place, guard);
    if (!connection) return false;
    connection_ = std::move(connection);
    connection_->use(this);
    end_round();
    return true;
}

// Rather any endpoint than a connection closed for another one; but a client that belongs to an endpoint goes there.
bool MirrorLink::take_any(Target& target, bool guard) {
    if (!shares_ || !target.full() || target.settings->balance == rules::Balance::client_hash) return false;
    return std::any_of(order_.begin(), order_.end(),
                       [&](std::uint32_t place) { return take_pooled(target, place, guard); });
}

bool MirrorLink::at_hand(const Target& target) const {
    return connected() || (shares_ && target.pool.has_idle() && !target.pool.must_wait(*this));
}

MirrorLink::Status MirrorLink::wait(Target& target) {
    if (shared_.limits.flow_requests.exceeded_by(target.pool.waiting() + 1)) return fail(Reason::mirror_queue);
    end_round();
    waiting_on_ = TargetRef(&target);
    waiting_at_ = target.pool.wait(*this);
    return Status::connecting;
}

void MirrorLink::stop_waiting() {
    if (!waiting_on_) return;
    waiting_on_->pool.stop_waiting(waiting_at_);
    waiting_on_ = {};
}

void MirrorLink::served() {
    stop_waiting();
    events_.link_changed();
}

void MirrorLink::give_back() {
    if (!shares_ || !connected() || shared_.stopped) return;
    Target& target = connection_->target();
    target.pool.put(std::move(connection_));
    if (target.pool.waiting() > 0) ServeSoonList::add(shared_.serve_soon, shared_.io, target);
}

MirrorLink::Status MirrorLink::fail(Reason reason) {
    end_round();
    failure_ = reason;
    return Status::failed;
}

std::optional<Reason> MirrorLink::connect(const MirrorConnection::Setup& setup) {
    auto connection = std::make_unique<MirrorConnection>(shared_, setup);
    ConnectionEvents& events = *this;
    if (const auto refused = connection->start(events)) return refused;
    connection_ = std::move(connection);
    progress();
    return std::nullopt;
}

void MirrorLink::drop(bool reset) {
    stop_waiting();
    if (!connection_) return;
    if (reset) connection_->reset_when_closed();
    connection_.reset();
}

void MirrorLink::on_connected() {
    end_round();
    progress();
    events_.link_changed();
}

void MirrorLink::on_connect_failed(Reason reason) {
    drop(false);
    failure_ = reason;
    failed_at_ = shared_.now;
    events_.link_changed();
}

std::optional<Reason> MirrorLink::enqueue(Bytes bytes) {
    if (shared_.limits.flow_queue_bytes.exceeded_by(queue_.size() + bytes.size())) return Reason::flow_queue;
    if (shared_.limits.total_queue_bytes.forced() || !queue_.append(bytes)) return Reason::total_queue;
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
        if (connection().write_blocked()) return {IoResult::Kind::blocked, sent};
        std::array<iovec, kWriteParts> parts;
        const std::size_t used = queue_.front(parts, limit - sent);
        const IoResult result = connection().write(std::span(parts).first(used));
        if (result.kind == IoResult::Kind::blocked) {
            connection().wait_writable();
            return {IoResult::Kind::blocked, sent};
        }
        if (result.kind != IoResult::Kind::done) return {result.kind, sent};
        unqueue_front(result.count);
        sent += result.count;
        progress();
    }
    return {IoResult::Kind::done, sent};
}

IoResult MirrorLink::send(Bytes first, Bytes second) {
    if (connection().write_blocked()) return {IoResult::Kind::blocked, 0};
    const iovec parts[] = {{const_cast<std::byte*>(first.data()), first.size()},
                           {const_cast<std::byte*>(second.data()), second.size()}};
    const IoResult result = connection().write(std::span(parts).first(second.empty() ? 1 : 2));
    if (result.kind == IoResult::Kind::blocked) connection().wait_writable();
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
    const IoResult result = connection().read(into);
    if (result.kind == IoResult::Kind::done) {
        progress();
        bump(shared_.worker.response_bytes, result.count);
    }
    return result;
}

}  // namespace umbra
