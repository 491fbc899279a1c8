#include "terminator/session.h"

namespace umbra {

namespace {

// A base, so that the replay side exists before and outlives the protocol side that writes to it.
struct ReplaySide {
    std::unique_ptr<ReplayFlow> replay;
};

class Session : private ReplaySide, public FlowProtocol {
public:
    Session(std::unique_ptr<ReplayFlow> flow, ProtocolContext& context, const FlowProtocol::Flow& description)
        : ReplaySide{std::move(flow)}, FlowProtocol(context, description, *replay) {}
};

}  // namespace

std::unique_ptr<StreamSink> SessionFactory::open(const FlowTuple& tuple, OpenKind kind, TimeNs now) {
    auto* row = stages_.plan.flow_row(tuple);
    if (row == nullptr) return nullptr;
    auto replay = stages_.replayer.open(tuple, *row, now);
    const FlowProtocol::Flow flow{tuple, *row, kind, stages_.plan.fixed_protocol(tuple)};
    return std::make_unique<Session>(std::move(replay), protocol_, flow);
}

}  // namespace umbra
