#include "replay/replayer.h"

#include <algorithm>
#include <utility>

namespace umbra {

namespace {
constexpr std::size_t kKeptChunkBytes = 4 * 1024 * 1024;
}

ReplayFlow::~ReplayFlow() {
    if (lane_) close(CloseKind::shutdown, Reason::shutdown, shared_.now);
}

umbra_ledger_row* ReplayFlow::head(const RequestHead& head, TimeNs now) {
    shared_.at(now);
    return lane_->head(head);
}

void ReplayFlow::bytes(Bytes bytes, TimeNs now) {
    shared_.at(now);
    lane_->bytes(bytes);
}

void ReplayFlow::end(TimeNs now) {
    shared_.at(now);
    lane_->end();
}

void ReplayFlow::abort(Reason reason, TimeNs now) {
    shared_.at(now);
    lane_->abort(reason);
}

void ReplayFlow::raw_begin(TimeNs now) {
    shared_.at(now);
    lane_->raw_begin();
}

void ReplayFlow::raw_bytes(Bytes bytes, TimeNs now) {
    shared_.at(now);
    lane_->raw_bytes(bytes);
}

void ReplayFlow::raw_half_close(TimeNs now) {
    shared_.at(now);
    lane_->raw_half_close();
}

void ReplayFlow::close(CloseKind kind, Reason reason, TimeNs now) {
    shared_.at(now);
    std::exchange(lane_, nullptr)->close(kind, reason);
}

Replayer::Replayer(const Context& context, const ReplayLimits& limits)
    : shared_{context.io, context.router, context.own, context.worker, limits} {}

Replayer::~Replayer() { shutdown(shared_.now); }

std::unique_ptr<ReplayFlow> Replayer::open(const FlowTuple& flow, umbra_ledger_row& flow_row, TimeNs now) {
    shared_.at(now);
    LaneOwner& owner = *this;
    auto lane = std::make_unique<Lane>(shared_, owner, flow, flow_row);
    lane->list_index = lanes_.size();
    lanes_.push_back(std::move(lane));
    return std::make_unique<ReplayFlow>(shared_, *lanes_.back());
}

void Replayer::retire(Lane& lane) {
    const std::size_t index = lane.list_index;
    std::swap(lanes_[index], lanes_.back());
    lanes_[index]->list_index = index;
    lanes_.pop_back();
}

void Replayer::tick(TimeNs now) {
    shared_.at(now);
    for (std::size_t left = shared_.connections.size(); left > 0; --left) {
        if (left > shared_.connections.size()) continue;
        const std::shared_ptr<Connection> connection = shared_.connections.at(left - 1);
        if (connection->owner()) connection->owner()->on_tick();
    }
    shared_.targets.purge();
    shared_.chunks.trim(kKeptChunkBytes);
}

void Replayer::shutdown(TimeNs now) {
    shared_.at(now);
    shared_.stopped = true;
    for (const auto& lane : lanes_) lane->stop();
}

bool Replayer::drained() const {
    return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->drained(); });
}

}  // namespace umbra
