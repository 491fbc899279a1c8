// Packets of every link type through decode(). Input: link type, flags, bytes cut off by the capture, then the frame.
#include <algorithm>
#include <vector>

#include "flow/decode.h"
#include "flow/server_record.h"
#include "fuzz/property.h"

#include "umbra/abi/limits.h"

namespace umbra::fuzz {
namespace {

constexpr LinkType kLinks[] = {LinkType::ethernet, LinkType::raw_ip, LinkType::linux_sll, LinkType::linux_sll2,
                               LinkType::bsd_loopback};
constexpr std::size_t kMacAddresses = 12;

struct Setting {
    explicit Setting(Input& input) {
        link = kLinks[input.u8() % std::size(kLinks)];
        const auto flags = input.u8();
        checksum = static_cast<ChecksumState>(flags % 3);
        options = {.virtual_device = (flags & 4) != 0, .verify_ip_checksum = (flags & 8) != 0};
        cut = input.u16();
    }
    DecodeResult decode(LinkType as, Bytes frame, std::size_t missing) const {
        return umbra::decode({frame, static_cast<std::uint32_t>(frame.size() + missing), as, checksum, 1}, options);
    }
    LinkType link;
    ChecksumState checksum;
    DecodeOptions options;
    std::size_t cut;
};

bool same(const DecodeResult& a, const DecodeResult& b) {
    if (a.status != b.status) return false;
    if (a.status != DecodeStatus::ok) return true;
    const TcpPacket &x = a.packet, &y = b.packet;
    return x.source == y.source && x.destination == y.destination && x.seq == y.seq && x.ack == y.ack &&
           x.flags == y.flags && x.window == y.window && x.urgent_pointer == y.urgent_pointer &&
           x.options.tsval == y.options.tsval && x.options.window_scale == y.options.window_scale &&
           x.options.mptcp == y.options.mptcp && as_text(x.payload) == as_text(y.payload);
}

void check_views(const DecodeResult& result, Bytes frame) {
    if (result.status != DecodeStatus::ok) return;
    const Bytes payload = result.packet.payload;
    require(payload.size() <= frame.size(), "the payload is a part of the frame");
    require(payload.empty() ||
                (payload.data() >= frame.data() && payload.data() + payload.size() <= frame.data() + frame.size()),
            "the payload lies in the frame");
    const ServerHeader header = to_server_header(result.packet);
    require(header.payload_len == payload.size() && header.prefix.size() <= UMBRA_SERVER_PREFIX,
            "a server header counts the payload and keeps its beginning");
    require(to_segment(result.packet).payload.size() == payload.size(), "a segment keeps the payload");
}

std::vector<std::byte> framed(std::initializer_list<unsigned> type_and_tags, Bytes packet) {
    std::vector<std::byte> frame(kMacAddresses);
    for (const unsigned word : type_and_tags) {
        frame.push_back(static_cast<std::byte>(word >> 8));
        frame.push_back(static_cast<std::byte>(word));
    }
    frame.insert(frame.end(), packet.begin(), packet.end());
    return frame;
}

// The link header changes nothing of what an IP packet says.
void check_carriers(const Setting& setting, Bytes packet) {
    if (packet.empty()) return;
    const unsigned version = std::to_integer<unsigned>(packet[0]) >> 4;
    if (version != 4 && version != 6) return;
    const unsigned type = version == 4 ? 0x0800 : 0x86dd;
    const DecodeResult plain = setting.decode(LinkType::raw_ip, packet, setting.cut);
    const auto check = [&](const std::vector<std::byte>& frame) {
        require(same(plain, setting.decode(LinkType::ethernet, frame, setting.cut)), "a link header changes nothing");
    };
    check(framed({type}, packet));
    check(framed({0x8100, 7, type}, packet));
    check(framed({0x88a8, 7, 0x8100, 8, type}, packet));
    const auto thrice = framed({0x88a8, 7, 0x8100, 8, 0x8100, 9, type}, packet);
    require(setting.decode(LinkType::ethernet, thrice, setting.cut).status == DecodeStatus::foreign,
            "more tags than are looked at make a packet foreign");
}

// A capture that keeps less of a packet says the same or nothing.
void check_cut(const Setting& setting, const DecodeResult& whole, Bytes frame) {
    if (whole.status != DecodeStatus::ok || frame.empty()) return;
    const std::size_t kept = setting.cut % frame.size();
    const DecodeResult cut = setting.decode(setting.link, frame.first(kept), frame.size() - kept);
    require(cut.status != DecodeStatus::ok || same(whole, cut), "a cut packet is never another one");
}

void check_record(Bytes bytes) {
    umbra_server_record record{};
    const auto size = std::min(bytes.size(), sizeof record);
    std::copy_n(bytes.data(), size, reinterpret_cast<std::byte*>(&record));
    require(server_header(record).prefix.size() <= UMBRA_SERVER_PREFIX, "a record's prefix is bounded");
}

}  // namespace
}  // namespace umbra::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace umbra;
    using namespace umbra::fuzz;
    Input input(data, size);
    const Setting setting(input);
    const Bytes frame = input.rest();
    check_views(setting.decode(setting.link, frame, setting.cut), frame);
    const DecodeResult whole = setting.decode(setting.link, frame, 0);
    check_views(whole, frame);
    check_cut(setting, whole, frame);
    check_carriers(setting, frame);
    check_record(frame);
    return 0;
}
