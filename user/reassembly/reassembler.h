// Reassembler: the reassembly stage of one worker. Client segments and server headers in, StreamSink calls out.
// Reads no clock and does no I/O; all its memory is bounded by ReassemblyLimits.
//
// Strict mode: a flow opens on the server's SYN-ACK, bytes are delivered up to the server's cumulative ACK, and a
// hole below that ACK is a gap once on_capture_drained() said that no older client packet is still to be read.
// One-sided mode: a flow opens on the client's SYN and is delivered as the Linux receiver would take it.
//
// Client packets must be handed in in the order of their capture; server headers too, but the two may run ahead of
// each other. Owns its flows and their sinks; observer and row outlive it.
#pragma once

#include "flow/segment.h"
#include "reassembly/flow_engine.h"
#include "reassembly/flow_table.h"
#include "reassembly/light_entries.h"
#include "reassembly/light_table.h"
#include "reassembly/reassembly_shared.h"
#include "reassembly/recent_answers.h"

namespace umbra {

class Reassembler : private MemoryReclaimer {
public:
    Reassembler(const ReassemblyLimits& limits, Mode mode, StreamObserver& observer, umbra_worker_row& worker);
    ~Reassembler() override;
    Reassembler(const Reassembler&) = delete;
    Reassembler& operator=(const Reassembler&) = delete;

    void on_segment(const Segment& segment);
    void on_server(const ServerHeader& header);
    // How many server headers were handed in.
    std::uint64_t server_headers() const { return shared_.epoch; }
    // All client packets that were cloned before the server's packet number `server_headers` have been handed in.
    void on_capture_drained(TimeNs now, std::uint64_t server_headers);
    void on_capture_drained(TimeNs now) { on_capture_drained(now, shared_.epoch); }
    // Timeouts; call it a few times per second.
    void tick(TimeNs now);
    // Closes all flows.
    void shutdown(TimeNs now);
    // Memory ran out inside a call: the destructor closes and counts nothing.
    void abandon() { abandoned_ = true; }
    // Something is held that a server packet would release: keep reading them.
    bool waiting() const { return ack_waiters_ > 0; }

private:
    using Home = FlowTable::Home;

    bool reclaim(const Flow& needing, std::size_t bytes, TimeNs now) override;

    void route(std::uint32_t id, const Segment& segment);
    void on_live(std::uint32_t id, const Segment& segment);
    void on_first_server_packet(std::uint32_t id, const ServerHeader& header);
    bool joins_at_answer(const Embryo& embryo, const Segment& segment, umbra_ledger_row& row);
    void on_orphan(std::uint32_t id, const Segment& segment);
    void on_syn_data_orphan(std::uint32_t id, const Segment& segment);
    void on_embryo(Embryo& embryo, const Segment& segment, umbra_ledger_row& row);
    void on_one_sided_syn(const Segment& segment, umbra_ledger_row& row);
    void on_closed(ClosedFlow& closed, const Segment& segment, umbra_ledger_row& row);
    void on_unknown(const Segment& segment, umbra_ledger_row& row);
    void on_stateless(const Segment& segment);

    void on_syn_ack(const ServerHeader& header, umbra_ledger_row& row);
    void on_syn_ack_for_flow(std::uint32_t id, const ServerHeader& header);
    void on_server_embryo(Embryo& embryo, const ServerHeader& header, umbra_ledger_row& row);
    void refuse_multipath(const ServerHeader& header, umbra_ledger_row& row);
    void adopt(std::uint32_t id, const Embryo& embryo, TimeNs now);

    std::uint32_t hatch(const Embryo& embryo, umbra_ledger_row& row, TimeNs now);
    std::uint32_t open_flow(const FlowTuple& tuple, umbra_ledger_row& row, Home home, TimeNs now);
    bool make_room(TimeNs now);
    bool grow_table(TimeNs now);
    template <class Entry>
    Entry& insert_light(LightTable<Entry>& table, const FlowTuple& tuple);
    template <class Entry>
    Entry* find_light(LightTable<Entry>& table, const Bound& limit, const FlowTuple& tuple);
    bool shed_longest_waiting(const Flow* except, TimeNs now);
    void settle(std::uint32_t id, TimeNs now);
    void update_lists(std::uint32_t id, TimeNs now);
    void close(std::uint32_t id, TimeNs now);
    void end(std::uint32_t id, const Ending& ending, TimeNs now);
    void retire_older(std::uint32_t id, TimeNs now);
    void remember(const Flow& flow, const Ending& ending, TimeNs now);
    ClosedFlow& remember_refused(const FlowTuple& tuple, std::uint32_t start, Reason reason, TimeNs now);
    void expire_waits(TimeNs now);
    void expire_flows(Home home, TimeNs timeout, TimeNs now);
    void expire_light_entries(TimeNs now);
    std::uint64_t hash_of(const FlowTuple& tuple) const { return tuple_hash(tuple, shared_.limits.hash_seed); }
    void publish();

    ReassemblyShared shared_;
    FlowEngine engine_;
    FlowTable flows_;
    LightTable<Embryo> embryos_;
    LightTable<ClosedFlow> closed_;
    RecentAnswers recent_answers_;
    std::size_t ack_waiters_ = 0;
    std::size_t one_sided_ = 0;
    TimeNs last_time_ = 0;
    bool abandoned_ = false;
};

// Where memory does not suffice, the oldest entry makes room.
template <class Entry>
Entry& Reassembler::insert_light(LightTable<Entry>& table, const FlowTuple& tuple) {
    const std::size_t bytes = table.growth_bytes();
    if (bytes > 0 && table.size() > 0 && !shared_.pool.set_aside(bytes)) table.erase(*table.oldest());
    return table.insert(tuple, hash_of(tuple));
}

// Where the table's limit is forced, the entry is the one that has made room.
template <class Entry>
Entry* Reassembler::find_light(LightTable<Entry>& table, const Bound& limit, const FlowTuple& tuple) {
    Entry* const found = table.find(tuple, hash_of(tuple));
    if (!found || !limit.forced()) return found;
    table.erase(*found);
    return nullptr;
}

}  // namespace umbra
