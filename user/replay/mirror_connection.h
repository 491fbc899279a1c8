// MirrorConnection: one connection to an endpoint of a target, with its place in every account: the worker's list, the
// target's, the loop guard's and the breaker's. Passes its events on to whoever uses it. Closes when destroyed.
#pragma once

#include <memory>

#include "replay/breaker.h"
#include "replay/connection.h"
#include "replay/target.h"

namespace umbra {

struct ReplayShared;

class MirrorConnection : private ConnectionEvents {
public:
    struct Setup {
        Target& target;
        std::size_t place = 0;  // of the endpoint
        Breaker::Permission permission;
        bool guard = false;
        const FlowTuple& client;  // the flow that it is made for
        Alpn alpn = Alpn::none;
    };
    MirrorConnection(ReplayShared& shared, const Setup& setup);
    ~MirrorConnection() override;
    MirrorConnection(const MirrorConnection&) = delete;
    MirrorConnection& operator=(const MirrorConnection&) = delete;

    // As Connection::start(). user: hears the events; may destroy this object at any of them.
    std::optional<Reason> start(ConnectionEvents& user);
    // Who hears the events from now on. Null: the target's pool, which closes the connection at the first of them.
    void use(ConnectionEvents* user);
    void reset_when_closed() { reset_ = true; }

    Connection& socket() { return *socket_; }
    bool connected() const { return socket_ && socket_->connected(); }
    Target& target() const { return *target_; }
    std::size_t place() const { return place_; }
    // Nothing waits to be read on it, unless it was made just now, and it belongs to the target.
    bool fits(Target& target, bool guard);
    // It may carry requests for the target, and is in its accounts from now on.
    bool belongs_to(Target& target, bool guard);
    // True: closed.
    bool evict_if_idle();

    std::size_t target_index = 0;  // in Target::connections

private:
    void on_connected() override;
    void on_connect_failed(Reason reason) override;
    void on_readable() override { user_ ? user_->on_readable() : heard_while_idle(); }
    void on_writable() override {
        if (user_) user_->on_writable();
    }
    void on_tick() override;
    bool idle() const override { return connected() && (!user_ || user_->idle()); }
    void on_evicted() override { user_ ? user_->on_evicted() : target_->pool.close(*this); }

    void heard_while_idle();
    bool move_to(Target& target);
    Connection::Settings socket_settings() const;
    Breaker& breaker();

    ReplayShared& shared_;
    TargetRef target_;
    std::size_t place_;
    const FlowTuple client_;
    const Alpn alpn_;
    const bool guard_;
    Breaker::Permission permission_;
    Outstanding attempt_;
    std::shared_ptr<Connection> socket_;
    ConnectionEvents* user_ = nullptr;
    TimeNs started_at_ = 0;  // the attempt, or the time in the pool
    bool fresh_ = false;     // connected, and not used yet
    bool reset_ = false;
};

}  // namespace umbra
