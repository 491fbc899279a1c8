// ReplayFlow: one client flow on its way to the mirrors of the rules that its requests belong to. Asks the router once
// per request or raw flow and gives each mirror the same calls, in a lane of its own; the lanes know nothing of each
// other. Where a mirror's connections are shared, each request has a lane to itself. Counts what the further mirrors
// see: the first one's row is the rule's, whose bytes protocol has counted.
#pragma once

#include <memory>
#include <vector>

#include "protocol/message_sink.h"
#include "replay/http2_branches.h"
#include "replay/lane.h"

namespace umbra {

class LaneMaker {
public:
    virtual ~LaneMaker() = default;
    virtual Lane& make_lane(const FlowTuple& flow, Lane::Kind kind) = 0;
};

// Destroying it without close() counts as a stop of the agent.
class ReplayFlow : public MessageSink {
public:
    ReplayFlow(ReplayShared& shared, LaneMaker& maker, const FlowTuple& flow, umbra_ledger_row& row)
        : shared_(shared), maker_(maker), flow_(flow), row_(row) {}
    ~ReplayFlow() override;
    ReplayFlow(const ReplayFlow&) = delete;
    ReplayFlow& operator=(const ReplayFlow&) = delete;

    umbra_ledger_row* head(const RequestHead& head, TimeNs now) override;
    void bytes(Bytes bytes, TimeNs now) override;
    void end(TimeNs now) override;
    void abort(Reason reason, TimeNs now) override;
    void raw_begin(TimeNs now) override;
    void raw_bytes(Bytes bytes, TimeNs now) override;
    void raw_half_close(TimeNs now) override;
    Http2Sink* http2(TimeNs now) override;
    void close(CloseKind kind, Reason reason, TimeNs now) override;

private:
    // One mirror of the rule at hand, by its place there.
    struct Branch {
        Lane* lane = nullptr;   // of the request or raw flow at hand
        Lane* flows = nullptr;  // for all that the flow brings in its order
        umbra_ledger_row* row = nullptr;
    };
    std::span<const Choice> choose(const RequestHead* head);
    Lane& flow_lane(Branch& branch);
    Lane& request_lane(Branch& branch);
    void end_request_lane(Branch& branch);
    void see(std::size_t bytes);

    ReplayShared& shared_;
    LaneMaker& maker_;
    const FlowTuple flow_;
    umbra_ledger_row& row_;
    std::vector<Branch> branches_;
    std::unique_ptr<Http2Branches> http2_;
    std::size_t used_ = 0;  // of them, by the request or raw flow at hand
    Reason refusal_ = Reason::unmatched;
    bool switched_ = false;  // the request at hand asked for another protocol
    bool closed_ = false;
};

}  // namespace umbra
