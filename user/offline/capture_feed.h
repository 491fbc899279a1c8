// CaptureFeed: leads every TCP packet of a capture to the reassembler of its flow's mode: strict, or one-sided where
// that is asked for or the server's side is not in the capture. Owns both reassemblers; observer, survey and watcher
// outlive it.
#pragma once

#include "offline/survey.h"
#include "reassembly/offline_demux.h"

namespace umbra::offline {

class CaptureFeed : public DemuxSink {
public:
    struct Setup {
        ReassemblyLimits limits;
        Mode mode = Mode::strict;
        const Survey* survey = nullptr;  // null: every flow is taken to show its server
        bool accept_multipath = false;   // one path's stream of a connection over several
        DemuxSink* watcher = nullptr;    // is told of every segment and header first
    };
    CaptureFeed(const Setup& setup, StreamObserver& observer, umbra_worker_row& worker);

    void on_segment(const Segment& segment) override;
    void on_server(const ServerHeader& header) override;
    void on_time(TimeNs now) override;
    void on_end(TimeNs now) override;
    bool trusts(const TcpPacket& packet) override;

private:
    bool is_strict(const FlowTuple& tuple) const {
        return setup_.mode == Mode::strict && (!setup_.survey || setup_.survey->shows_server(tuple));
    }

    const Setup setup_;
    Reassembler strict_;
    Reassembler one_sided_;
    ReassemblerFeed strict_feed_;
    ReassemblerFeed one_sided_feed_;
};

}  // namespace umbra::offline
