// HttpRelay's ear: reads the mirror's answers to their end and notices when they do not come.
#include "replay/http_relay.h"

namespace umbra {

namespace {
constexpr unsigned kReadsPerEvent = 8;
}

void HttpRelay::readable() {
    for (unsigned round = 0; round < kReadsPerEvent; ++round) {
        const IoResult result = link_.read(shared_.read_buffer);
        if (result.kind == IoResult::Kind::blocked) break;
        if (result.kind != IoResult::Kind::done) return connection_ended(result.kind == IoResult::Kind::reset);
        if (!take_response(Bytes(shared_.read_buffer).first(result.count))) return;
        if (result.count < shared_.read_buffer.size()) break;
    }
    link_.connection().wait_readable();
}

// False: the connection is gone or was given a new request.
bool HttpRelay::take_response(Bytes bytes) {
    if (upgrade_ == Upgrade::accepted) return true;
    if (requests_.empty() || !requests_.front().started || requests_.front().answered) {
        if (!idle()) lose_front(Reason::response_invalid);
        link_.drop(false);
        pump();
        return false;
    }
    QueuedRequest& front = requests_.front();
    const auto step = framer_.feed(bytes);
    const bool upgraded = step.state == wire::ResponseFramer::State::upgraded;
    if (step.state == wire::ResponseFramer::State::invalid || (upgraded && !front.upgrade)) {
        lose_front(Reason::response_invalid);
        pump();
        return false;
    }
    if (step.state == wire::ResponseFramer::State::more) return true;
    if (!answer_ended(upgraded, step.consumed < bytes.size())) return true;
    if (link_.connected()) link_.connection().wait_readable();
    pump();
    return false;
}

// False: the request itself has not ended yet.
bool HttpRelay::answer_ended(bool upgraded, bool more_bytes) {
    QueuedRequest& front = requests_.front();
    front.answered = true;
    const bool expected = upgraded && upgrade_ == Upgrade::waiting && requests_.size() == 1;
    if (expected) upgrade_ = Upgrade::accepted;
    count_response();
    const bool surplus = !upgraded && more_bytes;
    if (!front.settled()) {
        if (surplus) lose_front(Reason::response_invalid);
        return surplus;
    }
    settle_front();
    if (surplus || (upgraded && !expected)) link_.drop(false);
    return true;
}

void HttpRelay::count_response() {
    bump(shared_.worker.responses);
    const std::size_t status_class = framer_.status() / 100;
    if (status_class < shared_.answers.by_class.size()) ++shared_.answers.by_class[status_class];
}

void HttpRelay::connection_ended(bool reset) {
    if (!idle()) {
        QueuedRequest& front = requests_.front();
        if (!reset && !front.answered && framer_.finish() == wire::ResponseFramer::State::complete) {
            front.answered = true;
            count_response();
        }
        if (front.settled()) {
            settle_front();
        } else {
            lose_front(reset ? Reason::mirror_reset : Reason::mirror_closed);
        }
    }
    link_.drop(false);
    pump();
}

void HttpRelay::tick() {
    if (idle()) {
        const bool expired = shared_.now - link_.quiet_since() > link_.idle_timeout();
        if (expired && upgrade_ != Upgrade::accepted) link_.drop(false);
        return;
    }
    const QueuedRequest& front = requests_.front();
    const bool clients_turn = front.unsent == 0 && !front.complete;
    if (clients_turn) {
        link_.progress();
    } else if (shared_.now - link_.quiet_since() > front.target->timeouts.response) {
        lose_front(Reason::response_timeout);
        pump();
    }
}

}  // namespace umbra
