#include "replay/lane.h"

namespace umbra {

Lane::Lane(ReplayShared& shared, LaneOwner& owner, const FlowTuple& flow, Kind kind)
    : shared_(shared),
      owner_(owner),
      link_(shared, *this, flow, kind == Kind::request),
      http_(shared, link_),
      raw_(shared, link_) {}

Http2Relay& Lane::http2() {
    Http2RelayOwner& owner = *this;
    if (!http2_) http2_ = std::make_unique<Http2Relay>(shared_, owner, link_.flow());
    return *http2_;
}

void Lane::raw_begin_upgraded() {
    raw_.begin_upgraded(*http_.upgrade_row(), http_.upgrade_target());
    hand_over();
}

// The raw part of an upgraded flow begins when the mirror has answered the request that upgraded.
void Lane::hand_over() {
    if (!raw_.begun() || !http_.empty()) return;
    if (raw_.failed()) return link_.drop(true);
    if (!raw_.waiting_for_upgrade()) return;
    if (http_.upgrade() == HttpRelay::Upgrade::accepted) {
        raw_.upgraded();
    } else {
        raw_.fail(http_.upgrade_refusal());
    }
}

void Lane::link_changed() {
    speaks_raw() ? raw_.pump() : http_.pump();
    after_event();
}

void Lane::link_readable() {
    speaks_raw() ? raw_.readable() : http_.readable();
    after_event();
}

void Lane::link_tick() {
    speaks_raw() ? raw_.tick() : http_.tick();
    after_event();
}

// The last thing that an event does: the lane may be gone afterwards.
void Lane::after_event() {
    hand_over();
    if (closed_ && http_.empty() && raw_.done() && http2_empty()) retire();
}

void Lane::retire() {
    link_.give_back();
    owner_.retire(*this);
}

void Lane::close(CloseKind kind, Reason reason) {
    closed_ = true;
    const Reason unfinished = kind == CloseKind::reset ? Reason::client_reset : Reason::client_closed;
    http_.abort(unfinished);
    const bool given_up = kind == CloseKind::abandoned || kind == CloseKind::expired;
    if (http2_) http2_->close(given_up ? reason : kind == CloseKind::shutdown ? Reason::shutdown : unfinished);
    if (raw_.begun()) kind == CloseKind::abandoned ? raw_.fail(reason) : raw_.close();
    after_event();
}

void Lane::stop() {
    http_.drop_all(Reason::shutdown);
    if (http2_) http2_->drop_all(Reason::shutdown);
    hand_over();
    if (raw_.begun()) raw_.fail(Reason::shutdown);
}

}  // namespace umbra
