#include "unit/reassembly/captured_flow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "capture/pcap_source.h"
#include "flow/ip_header.h"
#include "flow/tcp_header.h"
#include "net/seq.h"
#include "unit/flow/packet_writer.h"

namespace umbra::test {

namespace {

constexpr std::size_t kFixedHeader = 20, kShortestFrame = 60, kOffsetByte = 12;
constexpr std::size_t kLongestStream = 64 << 20;

class Collector : public PacketSink {
public:
    explicit Collector(std::vector<CapturedFlow>& flows) : flows_(flows) {
        for (std::size_t i = 0; i < flows.size(); ++i) index_.emplace(flows[i].tuple, i);
    }
    void on_packet(const CapturedPacket& captured) override {
        const auto network = strip_link_header(captured.link, captured.data);
        if (!network) return;
        const IpPayload ip = decode_ip(*network, captured.wire_len - captured.data.size(), false);
        const auto header = decode_tcp(ip.tcp);
        if (!header) return;
        const Endpoint source{ip.source, header->source_port}, destination{ip.destination, header->destination_port};
        const auto client = index_.find({source, destination}), server = index_.find({destination, source});
        const bool from_client = client != index_.end();
        if (!from_client && server == index_.end()) return;
        CapturedFlow& flow = flows_[from_client ? client->second : server->second];
        flow.frames.push_back({std::string(as_text(captured.data)), captured.wire_len, captured.link, captured.time});
        if (ip.status == DecodeStatus::ok) flow.segments.push_back(take_apart(*header, ip.tcp, from_client));
        if (ip.status == DecodeStatus::ok) flow.segments.back().time = captured.time;
    }

private:
    static CapturedSegment take_apart(const TcpHeader& header, Bytes tcp, bool from_client) {
        const std::size_t length = (std::to_integer<std::size_t>(tcp[kOffsetByte]) >> 4) * 4;
        return {from_client,
                header.seq,
                header.ack,
                header.flags,
                header.window,
                header.urgent_pointer,
                std::string(as_text(tcp.subspan(kFixedHeader, length - kFixedHeader))),
                std::string(as_text(header.payload))};
    }

    std::vector<CapturedFlow>& flows_;
    std::map<FlowTuple, std::size_t> index_;
};

std::string address_text(const IpAddress& address) {
    const auto* const bytes = reinterpret_cast<const char*>(address.bytes.data());
    return address.is_v4() ? std::string(bytes + 12, 4) : std::string(bytes, 16);
}

std::string write_ip(const IpAddress& source, const IpAddress& destination, const std::string& tcp) {
    const std::string addresses = address_text(source) + address_text(destination);
    if (!source.is_v4())
        return std::string("\x60\0\0\0", 4) + be16(static_cast<unsigned>(tcp.size())) + "\x06\x40" + addresses + tcp;
    std::string header = std::string("\x45\0", 2) + be16(static_cast<unsigned>(kFixedHeader + tcp.size())) + zeros(4) +
                         "\x40\x06" + zeros(2) + addresses;
    fix_checksum(header, 10, 0);
    return header + tcp;
}

}  // namespace

bool CapturedFlow::contradicts() const {
    std::string bytes;
    std::vector<bool> known;
    std::uint32_t first = 0;
    for (const auto& segment : segments) {
        if (!segment.from_client || segment.has(kRst)) continue;
        if (segment.has(kSyn) || known.empty()) {  // perhaps another connection
            known.assign(1, false);
            bytes.assign(1, 0);
            first = segment.first_seq();
        }
        const std::size_t end = segment.end_seq() - first;
        if (segment.has(kSyn) || seq_before(segment.seq, first) || end > kLongestStream) continue;
        if (segment.payload.size() == 1 && end == known.size()) continue;
        if (end > known.size()) {
            known.resize(end);
            bytes.resize(end);
        }
        for (std::size_t i = 0, at = segment.seq - first; i < segment.payload.size(); ++i, ++at) {
            if (known[at] && bytes[at] != segment.payload[i]) return true;
            known[at] = true;
            bytes[at] = segment.payload[i];
        }
    }
    return false;
}

bool CapturedFlow::has_urgent_data() const {
    return std::any_of(segments.begin(), segments.end(),
                       [](const CapturedSegment& segment) { return segment.from_client && segment.has(kUrg); });
}

bool CapturedFlow::wraps() const {
    constexpr std::uint32_t kHalf = 1u << 31;
    bool before = false, behind = false;
    for (const auto& segment : segments) {
        if (!segment.from_client || segment.payload.empty()) continue;
        before |= segment.seq >= kHalf;
        behind |= segment.end_seq() - 1 < kHalf;
    }
    return before && behind;
}

std::vector<CapturedFlow> read_flows(const std::filesystem::path& file, const std::vector<FlowTuple>& tuples) {
    std::vector<CapturedFlow> flows;
    for (const FlowTuple& tuple : tuples)
        flows.push_back({file.filename().string() + " " + tuple.to_string(), tuple, {}, {}});
    Collector collector(flows);
    auto source = PcapSource::open(file, ChecksumState::trusted);
    EXPECT_TRUE(source && (*source)->read(collector)) << file;
    return flows;
}

std::string write_frame(const FlowTuple& tuple, const CapturedSegment& segment, const Framing& framing) {
    const Endpoint& source = segment.from_client ? tuple.client : tuple.server;
    const Endpoint& destination = segment.from_client ? tuple.server : tuple.client;
    const auto words = static_cast<unsigned>((kFixedHeader + segment.options.size()) / 4);
    std::string tcp = be16(source.port) + be16(destination.port) + be32(segment.seq) + be32(segment.ack) +
                      static_cast<char>(words << 4) + static_cast<char>(segment.flags) + be16(segment.window) +
                      zeros(2) + be16(segment.urgent_pointer) + segment.options + segment.payload;
    fix_checksum(tcp, 16, tcp_pseudo_sum(source.address, destination.address, static_cast<std::uint32_t>(tcp.size())));
    std::string frame = ethernet(write_ip(source.address, destination.address, tcp),
                                 source.address.is_v4() ? 0x0800 : 0x86dd, framing.tags);
    if (frame.size() < kShortestFrame) frame.resize(kShortestFrame, '\x55');
    return frame.append(framing.padding, '\xaa');
}

}  // namespace umbra::test
