// MirrorLink: a lane's way to its mirror: at most one connection, made and made anew on request, and the queue of
// bytes for it. Tries the target's endpoints in their order and asks their breakers. Knows no protocol and settles no
// ledger.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/chunk_buffer.h"
#include "replay/mirror_connection.h"
#include "replay/replay_shared.h"

namespace umbra {

class LinkEvents {
public:
    virtual ~LinkEvents() = default;
    virtual void link_changed() = 0;  // a connection attempt ended: acquire() again
    virtual void link_readable() = 0;
    virtual void link_writable() = 0;
    virtual void link_tick() = 0;
    virtual bool link_idle() const = 0;
};

// Bytes worth a system call of their own; fewer are gathered until the event loop's turn ends.
inline constexpr std::size_t kDirectSendBytes = 16 * 1024;
inline constexpr std::size_t kGatheredSendBytes = 64 * 1024;

class MirrorLink : private ConnectionEvents {
public:
    enum class Status : std::uint8_t { ready, connecting, failed };

    // shares: its connections come from the target's pool where the target has one, and return there.
    MirrorLink(ReplayShared& shared, LinkEvents& events, const FlowTuple& flow, bool shares = false)
        : shared_(shared), events_(events), flow_(flow), queue_(shared.chunks), shares_(shares) {}
    ~MirrorLink() override;
    MirrorLink(const MirrorLink&) = delete;
    MirrorLink& operator=(const MirrorLink&) = delete;

    const FlowTuple& flow() const { return flow_; }
    // What a TLS handshake offers on the connections made from now on.
    void speak(Alpn alpn) { alpn_ = alpn; }

    // A connection to one of the target's endpoints on which nothing is outstanding. failed: see failure().
    Status acquire(Target& target, bool guard);
    // connecting: link_changed() follows.
    Reason failure() const { return failure_; }
    // acquire() would probably be ready at once.
    bool at_hand(const Target& target) const;
    // What waited for a connection does not need it any more.
    void stop_waiting();
    void served();
    // To the target's pool, if the link shares its connections; nothing is outstanding on it.
    void give_back();
    void drop(bool reset);
    // The connection may carry requests for the target, and is in its accounts from now on.
    bool belongs_to(Target& target, bool guard) { return connection_->belongs_to(target, guard); }
    bool connected() const { return connection_ && connection_->connected(); }
    Connection& connection() { return connection_->socket(); }
    // Something is outstanding on the connection as long as the result lives.
    Outstanding take_up(Outstanding::Kind kind) { return {connection_->target(), connection_->place(), kind}; }
    TimeNs quiet_since() const { return progress_at_; }
    void progress() { progress_at_ = shared_.now; }
    TimeNs idle_timeout() const { return connection_->target().timeouts.idle; }

    std::size_t queued() const { return queue_.size(); }
    // Null: queued. Otherwise nothing was, and which limit was hit.
    std::optional<Reason> enqueue(Bytes bytes);
    void unqueue_front(std::size_t count);
    void unqueue_back(std::size_t count);
    // Writes up to `limit` queued bytes; or the bytes given, past an empty queue. Arms the wait when blocked.
    IoResult send_queued(std::size_t limit);
    IoResult send(Bytes bytes) { return send(bytes, {}); }
    IoResult send(Bytes first, Bytes second);
    // link_writable() follows when the event loop's turn ends.
    void send_soon();
    void sending_now();
    IoResult read(std::span<std::byte> into);

private:
    void on_connected() override;
    void on_connect_failed(Reason reason) override;
    void on_readable() override { events_.link_readable(); }
    void on_writable() override { events_.link_writable(); }
    void on_tick() override { events_.link_tick(); }
    bool idle() const override { return events_.link_idle(); }
    void on_evicted() override { drop(false); }

    void begin_round(Target& target);
    void end_round();
    Status try_endpoints(Target& target, bool guard);
    bool make_room(Target& target);
    bool take_pooled(Target& target, std::size_t place, bool guard);
    bool take_any(Target& target, bool guard);
    Status wait(Target& target);
    std::optional<Reason> connect(const MirrorConnection::Setup& setup);
    Status fail(Reason reason);

    ReplayShared& shared_;
    LinkEvents& events_;
    const FlowTuple flow_;
    ByteQueue queue_;
    std::unique_ptr<MirrorConnection> connection_;
    TimeNs progress_at_ = 0;
    TargetRef round_target_;            // whose endpoints are being tried
    std::vector<std::uint32_t> order_;  // of them in this round
    std::size_t attempts_ = 0;          // of this round
    TimeNs failed_at_ = 0;              // the latest attempt: a round goes on at once or not at all
    Reason failure_ = Reason::connect_failed;
    TargetRef waiting_on_;  // whose pool
    ConnectionPool::Waiting::iterator waiting_at_;
    const bool shares_;
    Alpn alpn_ = Alpn::http1;
    bool send_soon_ = false;
};

}  // namespace umbra
