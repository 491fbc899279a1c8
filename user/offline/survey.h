// Survey: a first look at a capture, for what only the whole of it tells: which flows show no packet of the server
// (they cannot be read in strict mode), and whose checksums were filled in by the network card after the capture had
// them. Bounded: of more flows than `kFlows` it knows those used last.
#pragma once

#include <unordered_map>

#include "reassembly/offline_demux.h"

namespace umbra::offline {

class Survey : public DemuxSink {
public:
    static constexpr std::size_t kFlows = 1 << 20;
    static constexpr std::size_t kSenders = 1 << 16;

    void on_segment(const Segment& segment) override;
    void on_server(const ServerHeader& header) override;
    void on_time(TimeNs) override {}
    void on_end(TimeNs) override {}
    bool trusts(const TcpPacket&) override { return bad_checksum_ = true; }

    // The server's side is there: its answer to the client's SYN, or any packet if the SYN is not there either.
    bool shows_server(const FlowTuple& tuple) const;
    std::size_t flows() const { return flows_.size(); }
    // Most of the sender's checksums, or all of those on payload, are wrong: they were not computed when captured.
    bool offloads(const IpAddress& sender) const;

private:
    struct Flow {
        FlowTuple tuple;
        ListLink lru;
        bool syn = false, syn_ack = false, server = false;
    };
    struct Checksums {
        std::uint64_t good = 0, bad = 0, good_payload = 0, bad_payload = 0;
    };
    struct AddressHash {
        std::size_t operator()(const IpAddress& address) const { return hash_value(Endpoint{address, 0}); }
    };

    Flow& flow(const FlowTuple& tuple);
    void count(const IpAddress& sender, bool payload);

    mutable LightTable<Flow> flows_{kFlows, 0};
    std::unordered_map<IpAddress, Checksums, AddressHash> senders_;
    bool bad_checksum_ = false;  // of the packet that comes next
};

}  // namespace umbra::offline
