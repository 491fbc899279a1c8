#include "replay/connection_pool.h"

#include <algorithm>
#include <asio/post.hpp>
#include <new>
#include <utility>

#include "replay/mirror_link.h"

namespace umbra {

ConnectionPool::ConnectionPool(std::size_t endpoints) : idle_(endpoints) {}
ConnectionPool::~ConnectionPool() = default;

void ConnectionPool::put(std::unique_ptr<MirrorConnection> connection) {
    connection->use(nullptr);
    ++idle_count_;
    idle_[connection->place()].push_back(std::move(connection));
}

std::unique_ptr<MirrorConnection> ConnectionPool::take(Target& target, std::size_t place, bool guard) {
    auto& at = idle_[place];
    while (!at.empty()) {
        auto connection = std::move(at.back());
        at.pop_back();
        --idle_count_;
        if (connection->fits(target, guard)) return connection;
    }
    return nullptr;
}

void ConnectionPool::close(MirrorConnection& connection) {
    auto& at = idle_[connection.place()];
    const auto found = std::find_if(at.begin(), at.end(), [&](const auto& one) { return one.get() == &connection; });
    if (found == at.end()) return;
    const auto closed = std::move(*found);
    at.erase(found);
    --idle_count_;
}

void ConnectionPool::close_idle() {
    for (auto& at : idle_) {
        idle_count_ -= at.size();
        std::exchange(at, {}).clear();
    }
}

ConnectionPool::Waiting::iterator ConnectionPool::wait(MirrorLink& link) {
    return waiting_.insert(serving_ == &link ? waiting_.begin() : waiting_.end(), &link);
}

void ConnectionPool::serve() {
    while (!waiting_.empty()) {
        MirrorLink* link = waiting_.front();
        serving_ = link;
        link->served();
        serving_ = nullptr;
        if (!waiting_.empty() && waiting_.front() == link) return;
    }
}

ServeSoonList::ServeSoonList() = default;
ServeSoonList::~ServeSoonList() = default;

void ServeSoonList::add(const std::shared_ptr<ServeSoonList>& list, asio::io_context& io, Target& target) {
    if (std::exchange(target.pool.serve_soon_, true)) return;
    const std::size_t before = list->targets.size();
    try {
        list->targets.emplace_back(&target);
        if (list->posted) return;
        asio::post(io, [list] { list->run(); });
        list->posted = true;
    } catch (const std::bad_alloc&) {  // destructors come here; the tick serves who waits
        if (list->targets.size() > before) list->targets.pop_back();
        target.pool.serve_soon_ = false;
    }
}

void ServeSoonList::run() {
    posted = false;
    const std::vector<TargetRef> now = std::exchange(targets, {});
    for (const TargetRef& target : now) {
        target->pool.serve_soon_ = false;
        target->pool.serve();
    }
}

}  // namespace umbra
