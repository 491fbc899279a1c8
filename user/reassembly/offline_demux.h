// OfflineDemux: drives a Reassembler from captured packets of both directions, as capture files have them. Finds out
// who is the client: the sender of the SYN, or for connections without one the side with the higher port.
// In one-sided mode the reassembler gets the client's packets only. Not for live traffic, where direction is known.
#pragma once

#include <cstdint>

#include "flow/decode.h"
#include "reassembly/light_table.h"
#include "reassembly/reassembler.h"

namespace umbra {

// Bounds that suit a file: nothing ends because the capture's clock moved on.
ReassemblyLimits offline_limits();

class OfflineDemux : public PacketSink {
public:
    struct Counts {
        std::uint64_t packets = 0;
        std::uint64_t foreign = 0;
        std::uint64_t fragments = 0;
        std::uint64_t bad_headers = 0;
        std::uint64_t bad_checksums = 0;
        std::uint64_t partial_checksums = 0;
        std::uint64_t truncated = 0;
    };

    OfflineDemux(Reassembler& reassembler, Mode mode, const DecodeOptions& options);

    void on_packet(const CapturedPacket& captured) override;
    // The end of the capture: what can be decided is, then all flows are closed.
    void finish();
    const Counts& counts() const { return counts_; }

private:
    // Who is the client of a tuple whose sides are in the order of their addresses.
    struct Orientation {
        FlowTuple tuple;
        ListLink lru;
        bool client_is_first = true;
        bool certain = false;
    };

    bool from_client(const TcpPacket& packet);
    void advance(TimeNs time);

    Reassembler& reassembler_;
    const Mode mode_;
    const DecodeOptions options_;
    LightTable<Orientation> orientations_;
    Counts counts_;
    TimeNs now_ = 0;
    TimeNs settled_ = 0;                 // when the reassembler was last told of time and drain
    std::uint64_t settled_headers_ = 0;  // server headers up to then
};

}  // namespace umbra
