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
    target_ = shared_.targets.find(choice, nullptr);
    guard_ = choice.guard;
    link_.speak(Alpn::none);
    pump();
}

void RawRelay::begin_upgraded(umbra_ledger_row& row, Target* target) {
    row_ = &row;
    target_ = TargetRef(target);
    state_ = State::waiting;
}

void RawRelay::upgraded() {
    if (!link_.connected()) return fail(Reason::mirror_closed);
    open();
    pump();
}

void RawRelay::open() {
    state_ = State::open;
    outstanding_ = link_.take_up(Outstanding::Kind::flow);
}

void RawRelay::fail(Reason reason) {
    if (state_ == State::failed) return;
    // While it waits, what is queued before its bytes and the connection are still the requests'.
    const bool owns_link = state_ != State::waiting;
    state_ = State::failed;
    failure_ = reason;
    ledger_dropped(*row_, reason, &umbra_units::bytes, queued_);
    link_.unqueue_back(queued_);
    taken_off(queued_);
    outstanding_ = {};
    if (owns_link) link_.drop(true);
}

void RawRelay::bytes(Bytes bytes) {
    const bool over_rate = state_ != State::failed && target_ && !target_->bucket.take(bytes.size(), shared_.now);
    if (over_rate) fail(Reason::mirror_rate);
    if (state_ == State::open && queued_ == 0 && bytes.size() >= kDirectSendBytes) {
        const IoResult result = link_.send(bytes);
        ledger_mirrored(*row_, &umbra_units::bytes, result.count);
        bytes = bytes.subspan(result.count);
        if (result.kind == IoResult::Kind::reset) {
            fail(peer_finished_ ? Reason::mirror_closed : Reason::mirror_reset);
        }
    }
    if (bytes.empty()) return;
    if (state_ != State::failed) {
        const auto limit = queue(bytes);
        const bool gather = state_ == State::open && queued_ < kGatheredSendBytes;
        if (!limit) return gather ? link_.send_soon() : pump();
        fail(*limit);
    }
    ledger_dropped(*row_, failure_, &umbra_units::bytes, bytes.size());
}

// Null: queued.
std::optional<Reason> RawRelay::queue(Bytes bytes) {
    if (target_ && !target_->queue(bytes.size())) return Reason::mirror_queue;
    const auto limit = link_.enqueue(bytes);
    if (limit && target_) target_->unqueue(bytes.size());
    if (!limit) queued_ += bytes.size();
    return limit;
}

void RawRelay::taken_off(std::size_t count) {
    queued_ -= count;
    if (target_) target_->unqueue(count);
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
        if (status == MirrorLink::Status::ready) open();
    }
    if (state_ != State::open) return;
    const IoResult result = link_.send_queued(queued_);
    taken_off(result.count);
    ledger_mirrored(*row_, &umbra_units::bytes, result.count);
    if (result.kind == IoResult::Kind::reset) {
        return fail(peer_finished_ ? Reason::mirror_closed : Reason::mirror_reset);
    }
    if (half_close_wanted_ && !half_closed_ && queued_ == 0) {
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

TimeNs RawRelay::response_timeout() const {
    return target_ ? target_->timeouts.response : shared_.limits.response_timeout;
}

void RawRelay::tick() {
    const bool stuck = shared_.now - link_.quiet_since() > response_timeout();
    if (stuck && (closed_ || queued_ > 0)) fail(Reason::response_timeout);
    if (queued_ == 0 && !closed_) link_.progress();
}

bool RawRelay::done() const {
    return state_ == State::idle || state_ == State::failed || (half_closed_ && peer_finished_);
}

}  // namespace umbra
