// Replayer: the replay stage of one worker. Takes the requests and raw bytes of client flows and sends them to their
// mirrors over non-blocking connections; answers are read and discarded. Never makes its caller wait: what does not
// fit its limits is dropped and counted. One thread, which also runs the io_context.
#pragma once

#include <memory>
#include <vector>

#include "protocol/message_sink.h"
#include "replay/lane.h"
#include "replay/replay_shared.h"

namespace umbra {

// The client's side of a lane. Destroying it without close() counts as a stop of the agent.
class ReplayFlow : public MessageSink {
public:
    ReplayFlow(ReplayShared& shared, Lane& lane) : shared_(shared), lane_(&lane) {}
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
    void close(CloseKind kind, Reason reason, TimeNs now) override;

private:
    ReplayShared& shared_;
    Lane* lane_;
};

class Replayer : private LaneOwner {
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
    // Nothing is queued and no response outstanding.
    bool drained() const;
    const MirrorAnswers& answers() const { return shared_.answers; }

private:
    void retire(Lane& lane) override;

    ReplayShared shared_;
    std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace umbra
