// StreamDelivery: hands a flow's bytes and events to its sink, in the order that StreamSink promises, and keeps the
// ledger of what is not handed on. Decides nothing about segments.
#pragma once

#include "reassembly/flow.h"
#include "reassembly/reassembly_shared.h"

namespace umbra {

class StreamDelivery {
public:
    explicit StreamDelivery(ReassemblyShared& shared) : shared_(shared) {}

    // One behind the last position that may be delivered now.
    static StreamPos limit(const Flow& flow);

    // Delivers what is held up to the limit, then the FIN, with the server's marks in between.
    void release(Flow& flow, TimeNs now);
    // Delivers bytes that start at flow.delivered.
    void emit(Flow& flow, Bytes bytes, TimeNs now);
    // The client sent `run` when it had seen the server's bytes up to `ack`.
    void note_client_ack(Flow& flow, const ByteRun& run, std::uint32_t ack, TimeNs now);
    // Skips to `to`; all bytes before flow.next are delivered.
    void gap(Flow& flow, StreamPos to, TimeNs now);
    // Counts what is left, closes the sink. The flow holds nothing afterwards.
    void close(Flow& flow, const Ending& ending, TimeNs now);

    static void drop(Flow& flow, Reason reason, std::size_t bytes);
    // Reassembly gives up on the flow; the first reason counts.
    static void abandon(Flow& flow, Reason reason);

private:
    bool open_sink(Flow& flow, TimeNs now);
    void fire_marks(Flow& flow, TimeNs now);
    void tell(Flow& flow, const Marks::Mark& mark, TimeNs now);
    std::size_t deliverable_at_once(Flow& flow, std::size_t wanted);
    void drop_leftovers(Flow& flow, const Ending& ending);

    ReassemblyShared& shared_;
};

}  // namespace umbra
