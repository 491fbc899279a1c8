// FlowEngine: what a client segment, a server packet or the passing of time does to one flow, by the Linux
// receiver's rules. Bytes in, calls of the flow's sink out. A flow that is over says so in Flow::ending; its owner
// closes it then.
#pragma once

#include "reassembly/flow.h"
#include "reassembly/reassembly_shared.h"
#include "reassembly/stream_delivery.h"

namespace umbra {

// Frees memory by giving up other flows.
class MemoryReclaimer {
public:
    virtual ~MemoryReclaimer() = default;
    // False: nothing is left to give up but the needing flow itself.
    virtual bool reclaim(const Flow& needing, std::size_t bytes, TimeNs now) = 0;
};

class FlowEngine {
public:
    FlowEngine(ReassemblyShared& shared, MemoryReclaimer& reclaimer)
        : shared_(shared), reclaimer_(reclaimer), delivery_(shared) {}

    // The payload has been counted as seen.
    void on_segment(Flow& flow, const Segment& segment);
    void on_server(Flow& flow, const ServerHeader& header);
    // The server took data with the SYN, and they are gone.
    void lacks_syn_data(Flow& flow, std::uint32_t bytes, TimeNs now);
    // The flow has become live: judges what was parked.
    void on_adopted(Flow& flow, TimeNs now);
    // All client packets cloned before server header number `epoch` were handed in.
    void on_drained(Flow& flow, std::uint64_t epoch, TimeNs now);
    // The flow has had undelivered bytes for the wait timeout.
    void on_wait_timeout(Flow& flow, TimeNs now);

    void park(Flow& flow, const Segment& segment);
    // Judges parked segments again. `before`: those that begin before it are taken without a look at their ACK.
    void replay_parked(Flow& flow, StreamPos before);
    StreamDelivery& delivery() { return delivery_; }

private:
    void process(Flow& flow, const Segment& segment, bool trust_ack);
    static void note_refused_syn(Flow& flow, const Segment& segment);
    void receive(Flow& flow, const Segment& segment);
    bool rewinds_to_syn(Flow& flow, const Segment& segment);
    bool moves_fin(Flow& flow, const ByteRun& run);
    void take(Flow& flow, const ByteRun& run, TimeNs now);
    void take_in_order(Flow& flow, const ByteRun& run, TimeNs now);
    void store_or_emit(Flow& flow, Bytes bytes, TimeNs now);
    void enqueue(Flow& flow, const ByteRun& run, TimeNs now);
    void drain_queue(Flow& flow, TimeNs now);
    void reach_fin(Flow& flow);
    void drop_old(Flow& flow, const ByteRun& run);
    void drop_behind_fin(Flow& flow, const ByteRun& run);
    void drop_displaced(Flow& flow, const OverlapResult& result);
    void on_urgent(Flow& flow, const Segment& segment);
    void expire_parked(Flow& flow, TimeNs now);
    void register_gap(Flow& flow);
    void declare_gap(Flow& flow, StreamPos to, TimeNs now);
    void conclude(Flow& flow);
    bool ensure_room(Flow& flow, std::size_t bytes, TimeNs now);
    static bool in_window(const Flow& flow, const ByteRun& run);
    bool over_segment_limits(Flow& flow);
    void replay(Flow& flow, const ParkedSegment& parked, bool trust_ack);

    ReassemblyShared& shared_;
    MemoryReclaimer& reclaimer_;
    StreamDelivery delivery_;
};

}  // namespace umbra
