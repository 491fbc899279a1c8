#include "replay/replayer.h"

#include <algorithm>
#include <utility>

namespace umbra {

namespace {
constexpr std::size_t kKeptChunkBytes = 4 * 1024 * 1024;
}

Replayer::Replayer(const Context& context, const ReplayLimits& limits)
    : shared_{context.io, context.router, context.own, context.worker, limits} {}

Replayer::~Replayer() {
    if (!shared_.abandoned) shutdown(shared_.now);
    lanes_.clear();
    shared_.targets.close_idle();
    shared_.serve_soon->targets.clear();
}

std::unique_ptr<ReplayFlow> Replayer::open(const FlowTuple& flow, umbra_ledger_row& flow_row, TimeNs now) {
    shared_.at(now);
    LaneMaker& maker = *this;
    return std::make_unique<ReplayFlow>(shared_, maker, flow, flow_row);
}

Lane& Replayer::make_lane(const FlowTuple& flow, Lane::Kind kind) {
    LaneOwner& owner = *this;
    lanes_.push_back(std::make_unique<Lane>(shared_, owner, flow, kind));
    lanes_.back()->list_index = lanes_.size() - 1;
    return *lanes_.back();
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
    shared_.targets.serve_waiting();
    shared_.targets.purge(shared_.now);
    shared_.chunks.trim(kKeptChunkBytes);
}

void Replayer::shutdown(TimeNs now) {
    shared_.at(now);
    shared_.stopped = true;
    for (const auto& lane : lanes_) lane->stop();
    shared_.targets.close_idle();
}

void Replayer::abandon() {
    shared_.abandoned = shared_.stopped = true;
    shared_.send_soon->links.clear();
    for (std::size_t i = 0; i < shared_.connections.size(); ++i) shared_.connections.at(i)->close(true);
}

bool Replayer::drained() const {
    return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->drained(); });
}

}  // namespace umbra
