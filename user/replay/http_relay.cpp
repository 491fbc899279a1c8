#include "replay/http_relay.h"

namespace umbra {

namespace {

constexpr unsigned kReadsPerEvent = 8;

wire::ResponseFramer::Method method_of(const RequestHead& head) {
    if (head.method == "HEAD") return wire::ResponseFramer::Method::head;
    return head.method == "CONNECT" ? wire::ResponseFramer::Method::connect : wire::ResponseFramer::Method::other;
}

}  // namespace

void HttpRelay::head(const RequestHead& head, const Choice& choice) {
    ledger_seen(*choice.row, &umbra_units::requests);
    if (upgrade_ == Upgrade::accepted) link_.drop(false);
    upgrade_ = head.upgrade ? Upgrade::waiting : Upgrade::none;
    upgrade_row_ = choice.row;
    if (shared_.stopped) {
        refuse_incoming(*choice.row, Reason::shutdown);
    } else if (!choice.target || choice.target->endpoints.empty()) {
        refuse_incoming(*choice.row, choice.reason);
    } else if (requests_.size() >= shared_.limits.flow_requests) {
        refuse_incoming(*choice.row, Reason::flow_queue);
    } else {
        accept(choice, head);
    }
}

void HttpRelay::accept(const Choice& choice, const RequestHead& head) {
    QueuedRequest request;
    request.row = choice.row;
    request.target = shared_.targets.find(choice.target->endpoints, latest_target_.get());
    latest_target_ = TargetRef(request.target.get());
    request.method = method_of(head);
    request.guard = choice.guard;
    request.upgrade = head.upgrade;
    request.whole = head.whole;
    requests_.push(std::move(request));
    receiving_ = true;
}

void HttpRelay::refuse_incoming(umbra_ledger_row& row, Reason reason) {
    ledger_dropped(row, reason, &umbra_units::requests);
    refused_ = Refused{&row, reason};
    if (upgrade_ == Upgrade::waiting) {
        upgrade_ = Upgrade::refused;
        upgrade_refusal_ = reason;
    }
}

void HttpRelay::bytes(Bytes bytes) {
    if (refused_) return ledger_dropped(*refused_->row, refused_->reason, &umbra_units::bytes, bytes.size());
    if (!receiving_) return;
    requests_.back().received += bytes.size();
    if (requests_.size() == 1 && requests_.back().whole && link_.connected()) start_front();
    if (refused_) return;
    QueuedRequest& request = requests_.back();
    const bool direct = request.whole || bytes.size() >= kDirectSendBytes;
    if (direct && request.started && request.unsent == 0 && link_.connected()) {
        const IoResult result = link_.send(bytes);
        if (result.kind == IoResult::Kind::reset) return lose_front(Reason::mirror_reset);
        bytes = bytes.subspan(result.count);
    }
    store(request, bytes);
    if (refused_ || !ready(request)) return;
    become_ready(request);
    const bool gather = request.started && request.unsent > 0 && request.unsent < kGatheredSendBytes;
    gather ? link_.send_soon() : pump();
}

void HttpRelay::store(QueuedRequest& request, Bytes bytes) {
    if (bytes.empty()) return;
    if (const auto limit = link_.enqueue(bytes)) return lose_back(*limit);
    request.unsent += bytes.size();
}

bool HttpRelay::ready(const QueuedRequest& request) const {
    return request.complete || request.received > shared_.limits.hold_bytes;
}

void HttpRelay::become_ready(QueuedRequest& request) {
    if (request.ready_at == 0) request.ready_at = shared_.now;
}

void HttpRelay::end() {
    if (refused_) return refused_.reset();
    if (!receiving_) return;
    receiving_ = false;
    requests_.back().complete = true;
    become_ready(requests_.back());
    pump();
}

void HttpRelay::abort(Reason reason) {
    if (receiving_) {
        lose_back(reason);
        pump();
    }
    refused_.reset();
}

void HttpRelay::drop_all(Reason reason) {
    while (!requests_.empty()) lose_front(reason);
    link_.drop(true);
}

void HttpRelay::pump() {
    while (!requests_.empty()) {
        QueuedRequest& front = requests_.front();
        if (!front.started) {
            if (!ready(front)) return;
            if (shared_.now - front.ready_at > shared_.limits.response_timeout) {
                lose_front(Reason::response_timeout);
                continue;
            }
            if (!start_front()) return;
        }
        const std::size_t before = requests_.size();
        if (send_front()) settle_front();
        if (requests_.size() == before) return;
    }
}

// False: the front waits for a connection, or everything that was ready is lost.
bool HttpRelay::start_front() {
    QueuedRequest& front = requests_.front();
    switch (link_.acquire(*front.target.get(), front.guard)) {
        case MirrorLink::Status::ready:
            break;
        case MirrorLink::Status::connecting:
            return false;
        case MirrorLink::Status::failed:
            lose_ready(link_.failure());
            return false;
    }
    front.started = true;
    framer_.begin(front.method);
    link_.progress();
    return true;
}

// True: the front is settled.
bool HttpRelay::send_front() {
    QueuedRequest& front = requests_.front();
    const IoResult result = link_.send_queued(front.unsent);
    front.unsent -= result.count;
    if (result.kind == IoResult::Kind::reset) lose_front(Reason::mirror_reset);
    return result.kind == IoResult::Kind::done && front.settled();
}

void HttpRelay::settle_front() {
    const QueuedRequest& front = requests_.front();
    ledger_mirrored(*front.row, &umbra_units::requests);
    ledger_mirrored(*front.row, &umbra_units::bytes, front.received);
    const bool latest = front.upgrade && requests_.size() == 1;
    const bool switched = latest && upgrade_ == Upgrade::accepted;
    if (latest && upgrade_ == Upgrade::waiting) {
        upgrade_ = Upgrade::refused;
        upgrade_refusal_ = Reason::upgrade_refused;
    }
    requests_.pop_front();
    if (!switched && !framer_.keep_alive()) link_.drop(false);
}

void HttpRelay::count_lost(const QueuedRequest& request, Reason reason) {
    ledger_dropped(*request.row, reason, &umbra_units::requests);
    ledger_dropped(*request.row, reason, &umbra_units::bytes, request.received);
    if (!request.upgrade || upgrade_ == Upgrade::none || &request != &requests_.back()) return;
    upgrade_ = Upgrade::refused;
    upgrade_refusal_ = reason;
}

void HttpRelay::lose_front(Reason reason) {
    QueuedRequest& front = requests_.front();
    if (front.started) link_.drop(!front.complete || front.unsent > 0);
    link_.unqueue_front(front.unsent);
    count_lost(front, reason);
    if (receiving_ && requests_.size() == 1) {
        receiving_ = false;
        refused_ = Refused{front.row, reason};
    }
    requests_.pop_front();
}

void HttpRelay::lose_back(Reason reason) {
    if (requests_.size() == 1) return lose_front(reason);
    const QueuedRequest& back = requests_.back();
    link_.unqueue_back(back.unsent);
    count_lost(back, reason);
    if (receiving_) refused_ = Refused{back.row, reason};
    receiving_ = false;
    requests_.pop_back();
}

// The mirror cannot be reached: what waited for it is not sent later.
void HttpRelay::lose_ready(Reason reason) {
    while (!requests_.empty() && ready(requests_.front())) lose_front(reason);
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
    front.answered = true;
    const bool expected = upgraded && upgrade_ == Upgrade::waiting && requests_.size() == 1;
    if (expected) upgrade_ = Upgrade::accepted;
    count_response();
    const bool surplus = !upgraded && step.consumed < bytes.size();
    if (front.settled()) {
        settle_front();
        if (surplus || (upgraded && !expected)) link_.drop(false);
    } else if (surplus) {
        lose_front(Reason::response_invalid);
    } else {
        return true;
    }
    if (link_.connected()) link_.connection().wait_readable();
    pump();
    return false;
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
        const bool expired = shared_.now - link_.quiet_since() > shared_.limits.idle_timeout;
        if (expired && upgrade_ != Upgrade::accepted) link_.drop(false);
        return;
    }
    const QueuedRequest& front = requests_.front();
    const bool clients_turn = front.unsent == 0 && !front.complete;
    if (clients_turn) {
        link_.progress();
    } else if (shared_.now - link_.quiet_since() > shared_.limits.response_timeout) {
        lose_front(Reason::response_timeout);
        pump();
    }
}

}  // namespace umbra
