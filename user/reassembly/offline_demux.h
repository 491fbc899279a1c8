// OfflineDemux: tells client from server in the packets of a capture file: the client is the sender of the SYN, or for
// connections without one the side with the higher port. Hands segments and headers to a DemuxSink, as a rule the
// ReassemblerFeed, which drives a Reassembler. Not for live traffic, where direction is known.
#pragma once

#include <cstdint>
#include <memory>

#include "flow/decode.h"
#include "reassembly/light_table.h"
#include "reassembly/reassembler.h"

namespace umbra {

// Bounds that suit a file: nothing ends because the capture's clock moved on.
ReassemblyLimits offline_limits();

class DemuxSink {
public:
    virtual ~DemuxSink() = default;
    virtual void on_segment(const Segment& segment) = 0;
    virtual void on_server(const ServerHeader& header) = 0;
    // The time of the packets that follow; never goes back.
    virtual void on_time(TimeNs now) = 0;
    // The end of the capture.
    virtual void on_end(TimeNs now) = 0;
    // Whether a packet whose TCP checksum is wrong is to be taken nevertheless.
    virtual bool trusts(const TcpPacket&) { return false; }
};

// Drives a Reassembler. In one-sided mode it gets the client's packets only. At the end, what waits for a server packet
// that the capture does not have is decided as if the server had stayed silent; then all flows are closed.
class ReassemblerFeed : public DemuxSink {
public:
    ReassemblerFeed(Reassembler& reassembler, Mode mode, TimeNs wait_timeout)
        : reassembler_(reassembler), mode_(mode), wait_timeout_(wait_timeout) {}

    void on_segment(const Segment& segment) override { reassembler_.on_segment(segment); }
    void on_server(const ServerHeader& header) override;
    void on_time(TimeNs now) override;
    void on_end(TimeNs now) override;

private:
    Reassembler& reassembler_;
    const Mode mode_;
    const TimeNs wait_timeout_;
    TimeNs settled_ = 0;                 // when the reassembler was last told of time and drain
    std::uint64_t settled_headers_ = 0;  // server headers up to then
};

class OfflineDemux : public PacketSink {
public:
    struct Counts {
        std::uint64_t packets = 0;
        std::uint64_t foreign = 0;
        std::uint64_t fragments = 0;
        std::uint64_t bad_headers = 0;
        std::uint64_t bad_checksums = 0;
        std::uint64_t trusted_checksums = 0;  // wrong, but the sink trusts them
        std::uint64_t partial_checksums = 0;
        std::uint64_t truncated = 0;
    };

    OfflineDemux(DemuxSink& sink, const DecodeOptions& options);
    OfflineDemux(Reassembler& reassembler, Mode mode, const DecodeOptions& options);

    void on_packet(const CapturedPacket& captured) override;
    // The end of the capture.
    void finish() { sink_.on_end(now_); }
    const Counts& counts() const { return counts_; }
    TimeNs now() const { return now_; }

private:
    // Who is the client of a tuple whose sides are in the order of their addresses.
    struct Orientation {
        FlowTuple tuple;
        ListLink lru;
        bool client_is_first = true;
        bool certain = false;
    };

    bool from_client(const TcpPacket& packet);
    bool accepted(const DecodeResult& decoded);

    std::unique_ptr<DemuxSink> own_sink_;
    DemuxSink& sink_;
    const DecodeOptions options_;
    LightTable<Orientation> orientations_;
    Counts counts_;
    TimeNs now_ = 0;
};

}  // namespace umbra
