#include "replay/raw_relay.h"

namespace umbra {

namespace {
constexpr std::size_t kDiscardBytes = 1024 * 1024;
constexpr unsigned kReadsPerEvent = 8;
}  // namespace

void RawRelay::begin(const Choice& choice) {
    row_ = choice.row;
    state_ = State::connecting;
    if (shared_.stopped) return fail(Reason::shutdown);
    if (!choice.target || choice.target->endpoints.empty()) return fail(choice.reason);
    target_ = shared_.targets.find(choice.target->endpoints, nullptr);
    guard_ = choice.guard;
    pump();
}

void RawRelay::begin_upgraded(umbra_ledger_row& row) {
    row_ = &row;
    state_ = State::waiting;
}

void RawRelay::upgraded() {
    if (!link_.connected()) return fail(Reason::mirror_closed);
    state_ = State::open;
    pump();
}

void RawRelay::fail(Reason reason) {
    if (state_ == State::failed) return;
    state_ = State::failed;
    failure_ = reason;
    ledger_dropped(*row_, reason, &umbra_units::bytes, link_.queued());
    link_.unqueue_front(link_.queued());
    link_.drop(true);
}

void RawRelay::bytes(Bytes bytes) {
    if (state_ == State::open && link_.queued() == 0 && bytes.size() >= kDirectSendBytes) {
        const IoResult result = link_.send(bytes);
        ledger_mirrored(*row_, &umbra_units::bytes, result.count);
        bytes = bytes.subspan(result.count);
        if (result.kind == IoResult::Kind::reset) {
            fail(peer_finished_ ? Reason::mirror_closed : Reason::mirror_reset);
        }
    }
    if (bytes.empty()) return;
    if (state_ != State::failed) {
        const auto limit = link_.enqueue(bytes);
        const bool gather = state_ == State::open && link_.queued() < kGatheredSendBytes;
        if (!limit) return gather ? link_.send_soon() : pump();
        fail(*limit);
    }
    ledger_dropped(*row_, failure_, &umbra_units::bytes, bytes.size());
}

void RawRelay::half_close() {
    half_close_wanted_ = true;
    pump();
}

void RawRelay::close() {
    closed_ = true;
    half_close_wanted_ = true;
    link_.progress();
    pump();
}

void RawRelay::pump() {
    if (state_ == State::connecting) {
        const MirrorLink::Status status = link_.acquire(*target_.get(), guard_);
        if (status == MirrorLink::Status::failed) fail(link_.failure());
        if (status == MirrorLink::Status::ready) state_ = State::open;
    }
    if (state_ != State::open) return;
    const IoResult result = link_.send_queued(link_.queued());
    ledger_mirrored(*row_, &umbra_units::bytes, result.count);
    if (result.kind == IoResult::Kind::reset) {
        return fail(peer_finished_ ? Reason::mirror_closed : Reason::mirror_reset);
    }
    if (half_close_wanted_ && !half_closed_ && link_.queued() == 0) {
        half_closed_ = true;
        link_.connection().finish_writing();
    }
}

void RawRelay::readable() {
    for (unsigned round = 0; round < kReadsPerEvent; ++round) {
        const IoResult result = link_.connection().discard(kDiscardBytes);
        if (result.kind == IoResult::Kind::blocked) break;
        if (result.kind == IoResult::Kind::reset) return fail(Reason::mirror_reset);
        if (result.kind == IoResult::Kind::closed) {
            peer_finished_ = true;
            return;
        }
        link_.progress();
        bump(shared_.worker.response_bytes, result.count);
    }
    link_.connection().wait_readable();
}

void RawRelay::tick() {
    const bool stuck = shared_.now - link_.quiet_since() > shared_.limits.response_timeout;
    if (stuck && (closed_ || link_.queued() > 0)) fail(Reason::response_timeout);
    if (link_.queued() == 0 && !closed_) link_.progress();
}

bool RawRelay::done() const {
    return state_ == State::idle || state_ == State::failed || (half_closed_ && peer_finished_);
}

}  // namespace umbra
