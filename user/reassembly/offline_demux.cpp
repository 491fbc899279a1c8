#include "reassembly/offline_demux.h"

#include <algorithm>

namespace umbra {

namespace {

constexpr std::size_t kOrientations = 1 << 18;
constexpr TimeNs kDay = 24ULL * 3600 * kSecond;
// A capture may hold an ACK shortly before the packet that it confirms.
constexpr TimeNs kReordering = 100 * kMillisecond;

bool is_reversed(const TcpPacket& packet) { return packet.destination < packet.source; }

}  // namespace

ReassemblyLimits offline_limits() {
    ReassemblyLimits limits;
    limits.flows = limits.embryos = limits.closed_flows = 1 << 18;
    limits.idle_timeout = limits.closing_timeout = limits.hole_timeout = kDay;
    return limits;
}

OfflineDemux::OfflineDemux(Reassembler& reassembler, Mode mode, const DecodeOptions& options)
    : reassembler_(reassembler), mode_(mode), options_(options), orientations_(kOrientations, 0) {}

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

void OfflineDemux::on_packet(const CapturedPacket& captured) {
    ++counts_.packets;
    advance(captured.time);
    DecodeResult decoded = decode(captured, options_);
    if (decoded.partial_checksum) ++counts_.partial_checksums;
    switch (decoded.status) {
        case DecodeStatus::foreign:
            ++counts_.foreign;
            return;
        case DecodeStatus::fragment:
            ++counts_.fragments;
            return;
        case DecodeStatus::bad_header:
            ++counts_.bad_headers;
            return;
        case DecodeStatus::bad_checksum:
            ++counts_.bad_checksums;
            return;
        case DecodeStatus::truncated:
            ++counts_.truncated;
            return;
        case DecodeStatus::ok:
            break;
    }
    decoded.packet.time = now_;
    if (from_client(decoded.packet)) {
        reassembler_.on_segment(to_segment(decoded.packet));
    } else if (mode_ == Mode::strict) {
        reassembler_.on_server(to_server_header(decoded.packet));
    }
}

void OfflineDemux::advance(TimeNs time) {
    now_ = std::max(now_, time);
    if (now_ < settled_ + kReordering) return;
    reassembler_.on_capture_drained(now_, settled_headers_);
    reassembler_.tick(now_);
    settled_ = now_;
    settled_headers_ = reassembler_.server_headers();
}

void OfflineDemux::finish() {
    for (int pass = 0; pass < 2; ++pass) reassembler_.on_capture_drained(now_);
    reassembler_.shutdown(now_);
}

}  // namespace umbra
