#include "differential/engine_run.h"

#include "differential/dice.h"
#include "flow/decode.h"
#include "reassembly/reassembler.h"
#include "unit/reassembly/stream_test_support.h"

namespace umbra::differential {

namespace {

ReassemblyLimits limits_of(const EngineSetup& setup) {
    ReassemblyLimits limits;
    limits.flows = limits.embryos = limits.closed_flows = limits.orphans = 64;
    limits.fast_open = setup.fast_open;
    if (!setup.as_linux) return limits;
    limits.on_conflict = ConflictPolicy::as_linux;
    limits.on_urgent = UrgentPolicy::as_linux;
    return limits;
}

class Feeder {
public:
    Feeder(const Trace& trace, const EngineSetup& setup)
        : trace_(trace),
          setup_(setup),
          dice_(setup.seed),
          reassembler_(limits_of(setup), setup.mode, observer, worker_) {}

    void run() {
        for (const TracePacket& packet : trace_.packets) {
            ++now_;
            if (packet.from_client) {
                waiting_.push_back(&packet);
                if (setup_.carriers == Carriers::in_step) read_queue(waiting_.size());
                if (setup_.carriers == Carriers::mixed && dice_.chance(50))
                    read_queue(static_cast<std::size_t>(dice_.between(0, static_cast<int>(waiting_.size()))));
            } else {
                server(packet);
            }
        }
        read_queue(waiting_.size());
        for (int pass = 0; pass < 2; ++pass) reassembler_.on_capture_drained(time());
        reassembler_.shutdown(time());
    }

    test::RecordingObserver observer;

private:
    TimeNs time() const { return 100 * kSecond + now_ * kMillisecond / 1000; }

    DecodeResult decoded(const TracePacket& packet, ChecksumState checksum) {
        return decode({as_bytes(packet.bytes), static_cast<std::uint32_t>(packet.bytes.size()), LinkType::raw_ip,
                       checksum, time()},
                      {});
    }
    void server(const TracePacket& packet) {
        if (setup_.mode == Mode::one_sided) return;
        const auto header = decoded(packet, ChecksumState::trusted);
        reassembler_.on_server(to_server_header(header.packet));
    }
    // The queue's first packets. When it is empty, no packet from before the last header is still to be read.
    void read_queue(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) client(*waiting_[i]);
        waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
        if (waiting_.empty()) reassembler_.on_capture_drained(time());
    }
    // Bare acknowledgements are not cloned.
    void client(const TracePacket& packet) {
        const auto result = decoded(packet, ChecksumState::verify);
        if (result.status != DecodeStatus::ok) return;
        if (result.packet.payload.empty() && (result.packet.flags & (kSyn | kFin | kRst | kUrg)) == 0) return;
        reassembler_.on_segment(to_segment(result.packet));
    }

    const Trace& trace_;
    const EngineSetup& setup_;
    Dice dice_;
    umbra_worker_row worker_{};
    Reassembler reassembler_;
    std::vector<const TracePacket*> waiting_;
    TimeNs now_ = 0;
};

End end_of(const test::StreamRecord& record) {
    if (record.half_closed) return End::eof;
    return record.close_kind == CloseKind::reset ? End::reset : End::open;
}

std::string fault_of(const test::RecordingObserver& observer) {
    if (!observer.closes()) return "the ledger does not close";
    if (observer.ledger.in_flight.bytes != 0 || observer.ledger.in_flight.flows != 0)
        return "something is in flight at the end";
    for (const auto& record : observer.records) {
        if (!record->closed) return "a sink was not closed";
        if (record->script.find("[ORDER VIOLATED]") != std::string::npos) return "the order of calls is violated";
    }
    return {};
}

}  // namespace

EngineResult run_engine(const Trace& trace, const EngineSetup& setup) {
    Feeder feeder(trace, setup);
    feeder.run();
    EngineResult result;
    for (const auto& record : feeder.observer.records) {
        const bool given_up = record->close_kind == CloseKind::abandoned;
        result.streams.push_back({record->bytes, end_of(*record), given_up, record->close_reason, record->gap_bytes,
                                  record->kind == OpenKind::midstream});
    }
    result.conflict_bytes = feeder.observer.dropped(Reason::overlap_conflict);
    result.urgent_bytes = feeder.observer.dropped(Reason::urgent);
    result.muted = !feeder.observer.muted.empty();
    result.fault = fault_of(feeder.observer);
    return result;
}

}  // namespace umbra::differential
