// RawRelay: passes a flow's bytes to the mirror as they come, half close included, and throws away what comes back.
// Bytes are mirrored when the socket took them. The first byte that cannot be passed on ends the relay: its
// connection is reset and the rest dropped, because a stream with a hole is worth nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "replay/mirror_link.h"

namespace umbra {

class RawRelay {
public:
    RawRelay(ReplayShared& shared, MirrorLink& link) : shared_(shared), link_(link) {}

    // Exactly one of these, first. After an upgrade the relay holds bytes until upgraded() or fail().
    void begin(const Choice& choice);
    // target: of the request that upgraded; null if it had none.
    void begin_upgraded(umbra_ledger_row& row, Target* target);
    void upgraded();
    void fail(Reason reason);

    void bytes(Bytes bytes);
    void half_close();
    void close();  // no more calls of the client's side

    void pump();
    void readable();
    void tick();
    bool begun() const { return state_ != State::idle; }
    bool waiting_for_upgrade() const { return state_ == State::waiting; }
    bool failed() const { return state_ == State::failed; }
    bool done() const;

private:
    enum class State : std::uint8_t { idle, waiting, connecting, open, failed };
    void open();
    std::optional<Reason> queue(Bytes bytes);
    void taken_off(std::size_t count);
    TimeNs response_timeout() const;

    ReplayShared& shared_;
    MirrorLink& link_;
    umbra_ledger_row* row_ = nullptr;
    TargetRef target_;
    Outstanding outstanding_;  // while open
    std::size_t queued_ = 0;   // at the end of the link's queue
    bool guard_ = false;
    State state_ = State::idle;
    Reason failure_ = Reason::connect_failed;
    bool half_close_wanted_ = false;
    bool half_closed_ = false;
    bool peer_finished_ = false;
    bool closed_ = false;
};

}  // namespace umbra
