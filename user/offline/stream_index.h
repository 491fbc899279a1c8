// StreamIndex: every TCP connection of a capture, in the order of their first packets, one record each. Follows
// handshakes and ends from the headers alone, so that connections without client bytes are listed, too, and tells the
// connections that use a tuple one after the other apart. Reassembly decides about bytes; this is told.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "offline/stream_record.h"
#include "reassembly/offline_demux.h"

namespace umbra::offline {

class StreamIndex : public DemuxSink {
public:
    static constexpr std::size_t kMaxStreams = 1 << 20;

    explicit StreamIndex(std::size_t max_streams = kMaxStreams) : max_streams_(max_streams) {}

    void on_segment(const Segment& segment) override;
    void on_server(const ServerHeader& header) override;
    void on_time(TimeNs) override {}
    void on_end(TimeNs) override {}

    // The number of a stream that reassembly begins to deliver; none: the index is full.
    std::optional<std::uint32_t> begin(const FlowTuple& tuple, bool midstream);
    // At the end: attempts to connect that led to nothing are not listed beside another connection of their tuple.
    void settle();

    std::size_t size() const { return records_.size(); }
    StreamRecord& operator[](std::size_t number) { return records_[number]; }
    const StreamRecord& operator[](std::size_t number) const { return records_[number]; }
    // Connections that were not listed because the index was full.
    std::uint64_t unlisted() const { return unlisted_; }

    // "0001_10.0.0.1.51234-10.0.0.2.80.client": unique by its number, no character that a file system could refuse.
    std::string file_name(std::size_t number) const;

private:
    StreamRecord* latest(const FlowTuple& tuple);
    StreamRecord* add(const FlowTuple& tuple, TimeNs now);
    StreamRecord* on_syn(StreamRecord* record, const Segment& segment);
    StreamRecord* on_syn_ack(StreamRecord* record, const ServerHeader& header);
    StreamRecord* renew(StreamRecord* record, const FlowTuple& tuple, TimeNs now);

    const std::size_t max_streams_;
    std::deque<StreamRecord> records_;
    std::unordered_map<FlowTuple, std::uint32_t> latest_;
    std::uint64_t unlisted_ = 0;
};

}  // namespace umbra::offline
