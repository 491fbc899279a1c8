// SessionFactory: what reassembly asks for at the start of a flow. Joins the protocol stage and the replay stage of
// the flow into the one sink that reassembly owns.
#pragma once

#include <memory>

#include "protocol/flow_protocol.h"
#include "reassembly/stream_sink.h"
#include "replay/replayer.h"
#include "terminator/flow_maps.h"
#include "terminator/plan_view.h"

namespace umbra {

class SessionFactory : public StreamObserver {
public:
    struct Stages {
        PlanView& plan;
        Replayer& replayer;
        MutedFlows& muted;
        umbra_worker_row& row;
    };
    SessionFactory(const Stages& stages, const ProtocolLimits& limits)
        : stages_(stages), protocol_{*this, stages.row, limits} {}

    std::unique_ptr<StreamSink> open(const FlowTuple& tuple, OpenKind kind, TimeNs now) override;
    umbra_ledger_row* row(const FlowTuple& tuple) override { return stages_.plan.flow_row(tuple); }
    void mute(const FlowTuple& tuple) override { stages_.muted.add(tuple); }

private:
    Stages stages_;
    ProtocolContext protocol_;
};

}  // namespace umbra
