#include "replay/replay_flow.h"

namespace umbra {

ReplayFlow::~ReplayFlow() {
    if (!closed_ && !shared_.abandoned) close(CloseKind::shutdown, Reason::shutdown, shared_.now);
}

// Empty: no rule takes it, because of refusal_.
std::span<const Choice> ReplayFlow::choose(const RequestHead* head) {
    const Selection selection = shared_.router.choose(flow_, head, shared_.now);
    used_ = selection.mirrors.size();
    refusal_ = selection.reason;
    if (branches_.size() < used_) branches_.resize(used_);
    for (std::size_t i = 0; i < used_; ++i) branches_[i].row = selection.mirrors[i].row;
    return selection.mirrors;
}

Lane& ReplayFlow::flow_lane(Branch& branch) {
    if (!branch.flows) branch.flows = &maker_.make_lane(flow_, Lane::Kind::flow);
    branch.lane = branch.flows;
    return *branch.lane;
}

Lane& ReplayFlow::request_lane(Branch& branch) {
    branch.lane = &maker_.make_lane(flow_, Lane::Kind::request);
    return *branch.lane;
}

// A lane that is for one request needs no more calls.
void ReplayFlow::end_request_lane(Branch& branch) {
    if (branch.lane && branch.lane != branch.flows) branch.lane->close(CloseKind::finished, Reason::client_closed);
    branch.lane = nullptr;
}

// Bytes of the request at hand, as the further mirrors' rows see them.
void ReplayFlow::see(std::size_t bytes) {
    for (std::size_t i = 1; i < used_; ++i) ledger_seen(*branches_[i].row, &umbra_units::bytes, bytes);
}

umbra_ledger_row* ReplayFlow::head(const RequestHead& head, TimeNs now) {
    shared_.at(now);
    const auto choices = choose(&head);
    switched_ = head.upgrade;
    if (choices.empty()) {
        ledger_seen(row_, &umbra_units::requests);
        ledger_dropped(row_, refusal_, &umbra_units::requests);
        return nullptr;
    }
    for (std::size_t i = 0; i < used_; ++i) {
        const bool shared = !head.upgrade && shares_connections(*choices[i].settings);
        (shared ? request_lane(branches_[i]) : flow_lane(branches_[i])).head(head, choices[i]);
    }
    return choices.front().row;
}

void ReplayFlow::bytes(Bytes bytes, TimeNs now) {
    shared_.at(now);
    see(bytes.size());
    for (std::size_t i = 0; i < used_; ++i) branches_[i].lane->bytes(bytes);
}

void ReplayFlow::end(TimeNs now) {
    shared_.at(now);
    for (std::size_t i = 0; i < used_; ++i) {
        branches_[i].lane->end();
        end_request_lane(branches_[i]);
    }
}

void ReplayFlow::abort(Reason reason, TimeNs now) {
    shared_.at(now);
    for (std::size_t i = 0; i < used_; ++i) {
        branches_[i].lane->abort(reason);
        end_request_lane(branches_[i]);
    }
}

void ReplayFlow::raw_begin(TimeNs now) {
    shared_.at(now);
    if (switched_) {
        for (std::size_t i = 0; i < used_; ++i) flow_lane(branches_[i]).raw_begin_upgraded();
        return;
    }
    const auto choices = choose(nullptr);
    for (std::size_t i = 0; i < used_; ++i) flow_lane(branches_[i]).raw_begin(choices[i]);
}

void ReplayFlow::raw_bytes(Bytes bytes, TimeNs now) {
    shared_.at(now);
    if (used_ == 0) return ledger_dropped(row_, refusal_, &umbra_units::bytes, bytes.size());
    if (branches_.front().row != &row_) {
        ledger_dropped(row_, Reason::other_rule, &umbra_units::bytes, bytes.size());
        ledger_seen(*branches_.front().row, &umbra_units::bytes, bytes.size());
    }
    see(bytes.size());
    for (std::size_t i = 0; i < used_; ++i) branches_[i].lane->raw_bytes(bytes);
}

void ReplayFlow::raw_half_close(TimeNs now) {
    shared_.at(now);
    for (std::size_t i = 0; i < used_; ++i) branches_[i].lane->raw_half_close();
}

Http2Sink* ReplayFlow::http2(TimeNs now) {
    shared_.at(now);
    const Http2Branches::Context context{shared_, maker_, flow_, row_};
    if (!http2_) http2_ = std::make_unique<Http2Branches>(context);
    return http2_.get();
}

void ReplayFlow::close(CloseKind kind, Reason reason, TimeNs now) {
    shared_.at(now);
    closed_ = true;
    for (const Branch& branch : branches_) {
        if (branch.lane && branch.lane != branch.flows) branch.lane->close(kind, reason);
        if (branch.flows) branch.flows->close(kind, reason);
    }
    if (http2_) http2_->close(kind, reason);
    branches_.clear();
    used_ = 0;
}

}  // namespace umbra
