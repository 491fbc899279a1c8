// Replayer: the replay stage of one worker. Takes the requests and raw bytes of client flows and sends them to their
// mirrors over non-blocking connections; answers are read and discarded. Never makes its caller wait: what does not
// fit its limits is dropped and counted. One thread, which also runs the io_context.
#pragma once

#include <memory>
#include <vector>

#include "replay/lane.h"
#include "replay/replay_flow.h"
#include "replay/replay_shared.h"

namespace umbra {

class Replayer : private LaneOwner, private LaneMaker {
public:
    // What the Replayer works with; all of it outlives the Replayer.
    struct Context {
        asio::io_context& io;
        Router& router;
        OwnConnections& own;
        umbra_worker_row& worker;
    };
    explicit Replayer(const Context& context, const ReplayLimits& limits = {});
    ~Replayer() override;
    Replayer(const Replayer&) = delete;
    Replayer& operator=(const Replayer&) = delete;

    // flow_row: the row that the flow's bytes were counted in as seen. The Replayer outlives its flows.
    std::unique_ptr<ReplayFlow> open(const FlowTuple& flow, umbra_ledger_row& flow_row, TimeNs now);
    // Every 20 to 100 ms: enforces the timeouts.
    void tick(TimeNs now);
    // Drops everything unfinished as Reason::shutdown; what flows still bring is dropped, too.
    void shutdown(TimeNs now);
    // Memory ran out inside a call: no state can be trusted any more. Resets every connection; after that only the
    // flows and then the Replayer may be destroyed, which counts nothing.
    void abandon();
    // Nothing is queued and no response outstanding.
    bool drained() const;
    const MirrorAnswers& answers() const { return shared_.answers; }

private:
    Lane& make_lane(const FlowTuple& flow, Lane::Kind kind) override;
    void retire(Lane& lane) override;

    ReplayShared shared_;
    std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace umbra
