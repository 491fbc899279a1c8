// Lane: one client flow on its way to one mirror: its link and the relay that speaks on it, HTTP first, raw after an
// upgrade or from the start; or HTTP/2, which has connections of its own; or a single request of the flow, where the
// mirror's connections are shared. Outlives the flow until what the client finished is settled. Owned by the Replayer.
#pragma once

#include <memory>

#include "protocol/message_sink.h"
#include "replay/http2_relay.h"
#include "replay/http_relay.h"
#include "replay/mirror_link.h"
#include "replay/raw_relay.h"

namespace umbra {

class Lane;

class LaneOwner {
public:
    virtual ~LaneOwner() = default;
    // Destroys the lane.
    virtual void retire(Lane& lane) = 0;
};

class Lane : private LinkEvents, private Http2RelayOwner {
public:
    enum class Kind : std::uint8_t { flow, request };
    Lane(ReplayShared& shared, LaneOwner& owner, const FlowTuple& flow, Kind kind);

    void head(const RequestHead& head, const Choice& choice) { http_.head(head, choice); }
    void bytes(Bytes bytes) { http_.bytes(bytes); }
    void end() { http_.end(); }
    void abort(Reason reason) { http_.abort(reason); }
    void raw_begin(const Choice& choice) { raw_.begin(choice); }
    // The latest request asked for another protocol, and the primary switched.
    void raw_begin_upgraded();
    void raw_bytes(Bytes bytes) { raw_.bytes(bytes); }
    void raw_half_close() { raw_.half_close(); }
    // Instead of all of these, for a flow that speaks HTTP/2.
    Http2Relay& http2();
    // The flow, or the request that the lane is for, is over; the lane may be gone after this call.
    void close(CloseKind kind, Reason reason);

    void stop();
    bool drained() const { return http_.empty() && link_.queued() == 0 && http2_empty(); }
    std::size_t list_index = 0;  // of its owner

private:
    void link_changed() override;
    void link_readable() override;
    void link_writable() override { link_changed(); }
    void link_tick() override;
    bool link_idle() const override { return !raw_.begun() && http_.idle(); }

    void relay_event() override { after_event(); }

    bool http2_empty() const { return !http2_ || http2_->empty(); }
    bool speaks_raw() const { return raw_.begun() && !raw_.waiting_for_upgrade() && http_.empty(); }
    void hand_over();
    void after_event();
    void retire();

    ReplayShared& shared_;
    LaneOwner& owner_;
    MirrorLink link_;
    HttpRelay http_;
    RawRelay raw_;
    std::unique_ptr<Http2Relay> http2_;
    bool closed_ = false;
};

}  // namespace umbra
