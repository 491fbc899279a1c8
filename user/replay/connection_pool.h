// ConnectionPool: the connections of one target that no request uses at the moment, and the links that wait for one,
// longest first. Of targets whose requests share connections. Owned by the Target; owns the idle connections.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <vector>

#include "replay/asio.h"

namespace umbra {

class MirrorConnection;
class MirrorLink;
class TargetRef;
struct Target;

class ConnectionPool {
public:
    using Waiting = std::list<MirrorLink*>;

    explicit ConnectionPool(std::size_t endpoints);
    ~ConnectionPool();
    ConnectionPool(const ConnectionPool&) = delete;
    ConnectionPool& operator=(const ConnectionPool&) = delete;

    bool has_idle() const { return idle_count_ > 0; }
    void put(std::unique_ptr<MirrorConnection> connection);
    // To this endpoint, quiet, and used last. Closes what is not usable any more. Null: there is none.
    std::unique_ptr<MirrorConnection> take(Target& target, std::size_t place, bool guard);
    void close(MirrorConnection& connection);
    void close_idle();

    std::size_t waiting() const { return waiting_.size(); }
    // A link that is being served keeps its place, others go to the end.
    Waiting::iterator wait(MirrorLink& link);
    void stop_waiting(Waiting::iterator at) { waiting_.erase(at); }
    // Whoever comes now must not overtake those that wait.
    bool must_wait(const MirrorLink& link) const { return !waiting_.empty() && serving_ != &link; }
    // Lets them try, in order, until one has to go on waiting.
    void serve();

private:
    friend struct ServeSoonList;
    std::vector<std::vector<std::unique_ptr<MirrorConnection>>> idle_;  // by endpoint
    std::size_t idle_count_ = 0;
    Waiting waiting_;
    const MirrorLink* serving_ = nullptr;
    bool serve_soon_ = false;
};

// Targets whose waiting links can go on when the event loop's turn ends. A handler that is still queued keeps it alive.
struct ServeSoonList {
    std::vector<TargetRef> targets;
    bool posted = false;

    ServeSoonList();
    ~ServeSoonList();
    static void add(const std::shared_ptr<ServeSoonList>& list, asio::io_context& io, Target& target);
    void run();
};

}  // namespace umbra
