// ReplaySessions: the flows of a capture on their way to the one target of a replay. Joins the protocol and the replay
// stage of a flow. Reassembly lives in the capture's time, replay in ours: the change happens here. Owns nothing but
// the ledger row; the Replayer outlives the flows.
#pragma once

#include <vector>

#include "protocol/flow_protocol.h"
#include "reassembly/stream_sink.h"
#include "replay/replayer.h"

namespace umbra::offline {

// Everything goes to the same target.
class SingleTarget : public Router, public OwnConnections {
public:
    SingleTarget(std::vector<Endpoint> endpoints, umbra_ledger_row& row) {
        target_.endpoints = std::move(endpoints);
        choice_.row = &row;
        choice_.target = &target_;
    }
    SingleTarget(const SingleTarget&) = delete;
    SingleTarget& operator=(const SingleTarget&) = delete;

    Selection choose(const FlowTuple&, const RequestHead*, TimeNs) override { return {{&choice_, 1}}; }
    bool add(const FlowTuple&) override { return true; }
    void remove(const FlowTuple&) override {}

private:
    rules::MirrorTarget target_;
    Choice choice_;
};

class ReplaySessions : public StreamObserver {
public:
    // ports: only flows to one of these server ports; empty: all.
    struct Setup {
        Replayer& replayer;
        umbra_ledger_row& row;
        umbra_worker_row& worker;
        std::vector<std::uint16_t> ports;
        ProtocolLimits limits = {};
    };
    explicit ReplaySessions(Setup setup) : setup_(std::move(setup)), protocol_{*this, setup_.worker, setup_.limits} {}

    std::unique_ptr<StreamSink> open(const FlowTuple& tuple, OpenKind kind, TimeNs now) override;
    umbra_ledger_row* row(const FlowTuple& tuple) override;
    void mute(const FlowTuple&) override {}

private:
    Setup setup_;
    ProtocolContext protocol_;
};

}  // namespace umbra::offline
