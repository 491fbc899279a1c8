#include "reassembly/offline_demux.h"

#include <algorithm>

namespace umbra {

namespace {

constexpr std::size_t kOrientations = 1 << 18;
constexpr TimeNs kNever = 36500ULL * 24 * 3600 * kSecond;
constexpr TimeNs kLatest = TimeNs{1} << 62;  // leaves room for timeouts
// A capture may hold an ACK shortly before the packet that it confirms.
constexpr TimeNs kReordering = 100 * kMillisecond;

bool is_reversed(const TcpPacket& packet) { return packet.destination < packet.source; }

}  // namespace

ReassemblyLimits offline_limits() {
    ReassemblyLimits limits;
    limits.flows = limits.embryos = limits.closed_flows = 1 << 18;
    limits.idle_timeout = limits.closing_timeout = limits.hole_timeout = kNever;
    return limits;
}

void ReassemblerFeed::on_server(const ServerHeader& header) {
    if (mode_ == Mode::strict) reassembler_.on_server(header);
}

void ReassemblerFeed::on_time(TimeNs now) {
    if (now < settled_ + kReordering) return;
    reassembler_.on_capture_drained(now, settled_headers_);
    reassembler_.tick(now);
    settled_ = now;
    settled_headers_ = reassembler_.server_headers();
}

void ReassemblerFeed::on_end(TimeNs now) {
    for (int pass = 0; pass < 2; ++pass) reassembler_.on_capture_drained(now);
    reassembler_.tick(now + wait_timeout_);
    reassembler_.shutdown(now + wait_timeout_);
}

OfflineDemux::OfflineDemux(DemuxSink& sink, const DecodeOptions& options)
    : sink_(sink), options_(options), orientations_(kOrientations, 0) {}

OfflineDemux::OfflineDemux(Reassembler& reassembler, Mode mode, const DecodeOptions& options)
    : own_sink_(std::make_unique<ReassemblerFeed>(reassembler, mode, offline_limits().wait_timeout)),
      sink_(*own_sink_),
      options_(options),
      orientations_(kOrientations, 0) {}

bool OfflineDemux::from_client(const TcpPacket& packet) {
    const bool reversed = is_reversed(packet);
    const FlowTuple tuple =
        reversed ? FlowTuple{packet.destination, packet.source} : FlowTuple{packet.source, packet.destination};
    const auto hash = tuple_hash(tuple, 0);
    Orientation* known = orientations_.find(tuple, hash);
    const bool syn = (packet.flags & kSyn) != 0, syn_ack = syn && (packet.flags & kAck) != 0;
    if (!known || (syn && !known->certain)) {
        if (!known) known = &orientations_.insert(tuple, hash);
        const bool source_is_client = syn ? !syn_ack : packet.source.port >= packet.destination.port;
        known->client_is_first = source_is_client != reversed;
        known->certain = syn;
    }
    orientations_.touch(*known);
    return known->client_is_first != reversed;
}

// Counts what is none of the sink's business.
bool OfflineDemux::accepted(const DecodeResult& decoded) {
    if (decoded.partial_checksum) ++counts_.partial_checksums;
    switch (decoded.status) {
        case DecodeStatus::foreign:
            ++counts_.foreign;
            return false;
        case DecodeStatus::fragment:
            ++counts_.fragments;
            return false;
        case DecodeStatus::bad_header:
            ++counts_.bad_headers;
            return false;
        case DecodeStatus::truncated:
            ++counts_.truncated;
            return decoded.headers_only;
        case DecodeStatus::bad_checksum:
            if (sink_.trusts(decoded.packet)) {
                ++counts_.trusted_checksums;
                return true;
            }
            ++counts_.bad_checksums;
            return false;
        case DecodeStatus::ok:
            break;
    }
    return true;
}

void OfflineDemux::on_packet(const CapturedPacket& captured) {
    ++counts_.packets;
    now_ = std::max(now_, std::min(captured.time, kLatest));
    sink_.on_time(now_);
    DecodeResult decoded = decode(captured, options_);
    if (!accepted(decoded)) return;
    decoded.packet.time = now_;
    if (!from_client(decoded.packet)) {
        sink_.on_server(to_server_header(decoded.packet));
    } else if (!decoded.headers_only) {
        sink_.on_segment(to_segment(decoded.packet));
    }
}

}  // namespace umbra
