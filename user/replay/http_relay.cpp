#include "replay/http_relay.h"

#include <algorithm>

#include "edit/edit.h"

namespace umbra {

namespace {

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
    upgrade_target_ = {};
    if (shared_.stopped) {
        refuse_incoming(*choice.row, Reason::shutdown);
    } else if (!choice.target || choice.target->endpoints.empty()) {
        refuse_incoming(*choice.row, choice.reason);
    } else if (shared_.limits.flow_requests.exceeded_by(requests_.size() + 1)) {
        refuse_incoming(*choice.row, Reason::flow_queue);
    } else {
        accept(choice, head);
    }
}

void HttpRelay::accept(const Choice& choice, const RequestHead& head) {
    QueuedRequest request;
    request.row = choice.row;
    request.target = shared_.targets.find(choice, latest_target_.get());
    latest_target_ = TargetRef(request.target.get());
    if (head.upgrade) upgrade_target_ = TargetRef(request.target.get());
    request.method = method_of(head);
    request.guard = choice.guard;
    request.close = head.close;
    request.upgrade = head.upgrade;
    request.whole = head.whole;
    edit_head(request, head);
    requests_.push(std::move(request));
    receiving_ = true;
}

void HttpRelay::edit_head(QueuedRequest& request, const RequestHead& head) {
    if (!request.target->edits_heads) return;
    request.head_left = head.size;
    edited_head_.clear();
    edit::write_http1(head, *request.target->settings, {link_.flow()}, edited_head_);
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
    QueuedRequest& incoming = requests_.back();
    incoming.received += bytes.size();
    if (incoming.started && !incoming.target->bucket.take(bytes.size(), shared_.now)) {
        return lose_back(Reason::mirror_rate);
    }
    if (!incoming.started && incoming.whole && requests_.size() == 1 && link_.at_hand(*incoming.target)) start_front();
    if (refused_) return;
    const Bytes head = without_edited_head(requests_.back(), bytes);
    head.empty() ? pass_on(bytes, {}) : pass_on(head, bytes);
}

// Takes the client's head off the bytes. Returns the edited one where it ends, nothing otherwise.
Bytes HttpRelay::without_edited_head(QueuedRequest& request, Bytes& bytes) {
    if (request.head_left == 0) return {};
    const std::size_t part = std::min(request.head_left, bytes.size());
    request.head_left -= part;
    bytes = bytes.subspan(part);
    return request.head_left == 0 ? as_bytes(edited_head_) : Bytes{};
}

void HttpRelay::pass_on(Bytes first, Bytes second) {
    QueuedRequest& request = requests_.back();
    const bool direct = request.whole || first.size() + second.size() >= kDirectSendBytes;
    if (direct && request.started && request.unsent == 0 && link_.connected() && !first.empty()) {
        const IoResult result = link_.send(first, second);
        if (result.kind == IoResult::Kind::reset) return lose_front(Reason::mirror_reset);
        const std::size_t of_first = std::min(result.count, first.size());
        first = first.subspan(of_first);
        second = second.subspan(result.count - of_first);
    }
    store(first);
    if (!refused_) store(second);
    if (refused_ || !ready(request)) return;
    const bool gather = request.started && request.unsent > 0 && request.unsent < kGatheredSendBytes;
    gather ? link_.send_soon() : pump();
}

void HttpRelay::store(Bytes bytes) {
    if (bytes.empty()) return;
    QueuedRequest& request = requests_.back();
    if (!request.target->queue(bytes.size())) return lose_back(Reason::mirror_queue);
    request.unsent += bytes.size();
    if (const auto limit = link_.enqueue(bytes)) {
        taken_off(request, bytes.size());
        lose_back(*limit);
    }
}

void HttpRelay::taken_off(QueuedRequest& request, std::size_t count) {
    request.unsent -= count;
    request.target->unqueue(count);
}

// Once it is, it stays so.
bool HttpRelay::ready(QueuedRequest& request) {
    if (request.ready_at != 0) return true;
    if (!request.complete && !shared_.limits.hold_bytes.exceeded_by(request.received)) return false;
    request.ready_at = shared_.now;
    return true;
}

void HttpRelay::end() {
    if (refused_) return refused_.reset();
    if (!receiving_) return;
    receiving_ = false;
    requests_.back().complete = true;
    ready(requests_.back());
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
            if (shared_.now - front.ready_at > front.target->timeouts.response) {
                lose_front(Reason::response_timeout);
                continue;
            }
            const Start start = start_front();
            if (start == Start::waits) return;
            if (start == Start::lost) continue;
        }
        const std::size_t before = requests_.size();
        if (send_front()) settle_front();
        if (requests_.size() == before) return;
    }
}

// lost: the front, or all that was ready.
HttpRelay::Start HttpRelay::start_front() {
    QueuedRequest& front = requests_.front();
    if (const auto limit = front.target->refuses(front.received, shared_.now)) {
        lose_front(*limit);
        return Start::lost;
    }
    switch (link_.acquire(*front.target, front.guard)) {
        case MirrorLink::Status::ready:
            break;
        case MirrorLink::Status::connecting:
            return Start::waits;
        case MirrorLink::Status::failed:
            lose_ready(link_.failure());
            return Start::lost;
    }
    front.started = true;
    front.target->bucket.take(front.received, shared_.now);
    front.outstanding = link_.take_up(Outstanding::Kind::request);
    framer_.begin(front.method);
    link_.progress();
    return Start::started;
}

// True: the front is settled.
bool HttpRelay::send_front() {
    QueuedRequest& front = requests_.front();
    const IoResult result = link_.send_queued(front.unsent);
    taken_off(front, result.count);
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
    const bool last = front.close || !framer_.keep_alive();
    requests_.pop_front();
    if (!switched && last) link_.drop(false);
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
    link_.stop_waiting();
    if (front.started) link_.drop(!front.complete || front.unsent > 0);
    link_.unqueue_front(front.unsent);
    taken_off(front, front.unsent);
    count_lost(front, reason);
    if (receiving_ && requests_.size() == 1) {
        receiving_ = false;
        refused_ = Refused{front.row, reason};
    }
    requests_.pop_front();
}

void HttpRelay::lose_back(Reason reason) {
    if (requests_.size() == 1) return lose_front(reason);
    QueuedRequest& back = requests_.back();
    link_.unqueue_back(back.unsent);
    taken_off(back, back.unsent);
    count_lost(back, reason);
    if (receiving_) refused_ = Refused{back.row, reason};
    receiving_ = false;
    requests_.pop_back();
}

// The mirror cannot be reached: what waited for it is not sent later.
void HttpRelay::lose_ready(Reason reason) {
    while (!requests_.empty() && ready(requests_.front())) lose_front(reason);
}

}  // namespace umbra
