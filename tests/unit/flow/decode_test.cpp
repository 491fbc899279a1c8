#include "flow/decode.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "unit/flow/packet_writer.h"

namespace umbra::test {
namespace {

std::string payload_of(const DecodeResult& result) { return std::string(as_text(result.packet.payload)); }

TEST(Decode, ReadsEveryField) {
    const std::string bytes = PacketText{.flags = kAck | kUrg}.ipv4();
    const auto result = decode_text(bytes);
    ASSERT_EQ(result.status, DecodeStatus::ok);
    const TcpPacket& packet = result.packet;
    EXPECT_EQ(packet.source.to_string(), "10.0.0.1:40000");
    EXPECT_EQ(packet.destination.to_string(), "10.0.0.2:80");
    EXPECT_EQ(packet.seq, 0x01020304u);
    EXPECT_EQ(packet.ack, 0x05060708u);
    EXPECT_EQ(packet.flags, kAck | kUrg);
    EXPECT_EQ(packet.window, 1234);
    EXPECT_EQ(packet.urgent_pointer, 9);
    EXPECT_EQ(packet.time, 42u);
    EXPECT_EQ(payload_of(result), "hello");
    EXPECT_EQ(to_segment(packet).tuple.to_string(), "10.0.0.1:40000>10.0.0.2:80");
    const ServerHeader server = to_server_header(packet);
    EXPECT_EQ(server.tuple.to_string(), "10.0.0.2:80>10.0.0.1:40000");
    EXPECT_EQ(server.payload_len, 5u);
    EXPECT_EQ(as_text(server.prefix), "hello");
}

struct Framing {
    const char* name;
    LinkType link;
    std::string bytes;
    bool accepted;
};
void PrintTo(const Framing& framing, std::ostream* out) { *out << framing.name; }

class DecodeFraming : public testing::TestWithParam<Framing> {};

TEST_P(DecodeFraming, FindsTheIpHeader) {
    const auto result = decode_text(GetParam().bytes, GetParam().link);
    EXPECT_EQ(result.status, GetParam().accepted ? DecodeStatus::ok : DecodeStatus::foreign);
    EXPECT_EQ(payload_of(result), GetParam().accepted ? "hello" : "");
}

const std::string kV4 = PacketText{}.ipv4(), kV6 = PacketText{}.ipv6();

INSTANTIATE_TEST_SUITE_P(
    All, DecodeFraming,
    testing::Values(
        Framing{"ethernet_v4", LinkType::ethernet, ethernet(kV4), true},
        Framing{"ethernet_v6", LinkType::ethernet, ethernet(kV6, 0x86dd), true},
        Framing{"vlan", LinkType::ethernet, ethernet(kV4, 0x0800, be16(0x8100) + be16(5)), true},
        Framing{"qinq", LinkType::ethernet, ethernet(kV6, 0x86dd, be16(0x88a8) + be16(5) + be16(0x8100) + be16(6)),
                true},
        Framing{"three_tags", LinkType::ethernet,
                ethernet(kV4, 0x0800, be16(0x8100) + be16(5) + be16(0x8100) + be16(6) + be16(0x8100) + be16(7)), false},
        Framing{"arp", LinkType::ethernet, ethernet(kV4, 0x0806), false},
        Framing{"padded", LinkType::ethernet, ethernet(kV4) + zeros(13), true},
        Framing{"too_short", LinkType::ethernet, zeros(13), false},
        Framing{"sll", LinkType::linux_sll, zeros(14) + be16(0x0800) + kV4, true},
        Framing{"sll2", LinkType::linux_sll2, be16(0x86dd) + zeros(18) + kV6, true},
        Framing{"loopback_v4", LinkType::bsd_loopback, be32(2) + kV4, true},
        Framing{"loopback_v6", LinkType::bsd_loopback, std::string("\x1e\0\0\0", 4) + kV6, true},
        Framing{"raw_v4", LinkType::raw_ip, kV4, true}, Framing{"raw_v6", LinkType::raw_ip, kV6, true},
        Framing{"raw_other", LinkType::raw_ip, std::string("\x10") + kV4, false},
        Framing{"empty", LinkType::raw_ip, "", false}));

struct Header {
    const char* name;
    std::string bytes;
    DecodeStatus status;
};
void PrintTo(const Header& header, std::ostream* out) { *out << header.name; }

class DecodeHeader : public testing::TestWithParam<Header> {};

TEST_P(DecodeHeader, IsJudgedAsLinuxDoes) { EXPECT_EQ(decode_text(GetParam().bytes).status, GetParam().status); }

std::string bad_ip_checksum() {
    std::string bytes = kV4;
    bytes[10] ^= 1;
    return bytes;
}
std::string udp() {
    std::string bytes = kV4;
    bytes[9] = 17;
    return bytes;
}
std::string options(char next, unsigned length = 0) {
    return std::string(1, next) + static_cast<char>(length) + zeros(6 + 8 * length);
}
std::string routing(char next, char left) { return std::string(1, next) + '\0' + '\0' + left + zeros(4); }
std::string fragment(char next, unsigned offset_and_more) {
    return std::string(1, next) + '\0' + be16(offset_and_more) + zeros(4);
}

INSTANTIATE_TEST_SUITE_P(
    V4, DecodeHeader,
    testing::Values(
        Header{"udp", udp(), DecodeStatus::foreign},
        Header{"bad_ip_checksum", bad_ip_checksum(), DecodeStatus::bad_checksum},
        Header{"total_length_beyond_the_frame", PacketText{.ip_length = 200}.ipv4(), DecodeStatus::bad_header},
        Header{"total_length_zero", with_total_length(kV4, 0), DecodeStatus::bad_header},
        Header{"shortened_by_total_length", PacketText{.ip_length = 43}.ipv4(), DecodeStatus::bad_checksum},
        Header{"no_operation_options", PacketText{.ip_options = "\x01\x01\x01\x01"}.ipv4(), DecodeStatus::ok},
        Header{"record_route", PacketText{.ip_options = std::string("\x07\x07\x04\0\0\0\0\0", 8)}.ipv4(),
               DecodeStatus::ok},
        Header{"loose_source_route", PacketText{.ip_options = std::string("\x83\x07\x04\0\0\0\0\0", 8)}.ipv4(),
               DecodeStatus::bad_header},
        Header{"first_fragment", PacketText{.fragment = 0x2000}.ipv4(), DecodeStatus::fragment},
        Header{"later_fragment", PacketText{.fragment = 10}.ipv4(), DecodeStatus::fragment},
        Header{"do_not_fragment", PacketText{.fragment = 0x4000}.ipv4(), DecodeStatus::ok},
        Header{"data_offset_below_5", PacketText{.doff = 4}.ipv4(), DecodeStatus::bad_header},
        Header{"data_offset_beyond_the_segment", PacketText{.doff = 15}.ipv4(), DecodeStatus::bad_header},
        Header{"tcp_checksum", PacketText{.checksum_error = 1}.ipv4(), DecodeStatus::bad_checksum},
        Header{"cut_ip_header", kV4.substr(0, 15), DecodeStatus::foreign}));

INSTANTIATE_TEST_SUITE_P(
    V6, DecodeHeader,
    testing::Values(
        Header{"hop_by_hop", PacketText{.extensions = options(6), .next_header = 0}.ipv6(), DecodeStatus::ok},
        Header{"eight_destination_options",
               PacketText{.extensions = options(60) + options(60) + options(60) + options(60, 3) + options(60) +
                                        options(60) + options(60) + options(6),
                          .next_header = 60}.ipv6(),
               DecodeStatus::ok},
        Header{"nine_extension_headers",
               PacketText{.extensions = options(60) + options(60) + options(60) + options(60) + options(60) +
                                        options(60) + options(60) + options(60) + options(6),
                          .next_header = 60}.ipv6(),
               DecodeStatus::bad_header},
        Header{"hop_by_hop_not_first", PacketText{.extensions = options(0) + options(6), .next_header = 60}.ipv6(),
               DecodeStatus::bad_header},
        Header{"routing_done", PacketText{.extensions = routing(6, 0), .next_header = 43}.ipv6(), DecodeStatus::ok},
        Header{"routing_left", PacketText{.extensions = routing(6, 1), .next_header = 43}.ipv6(),
               DecodeStatus::bad_header},
        Header{"atomic_fragment", PacketText{.extensions = fragment(6, 0), .next_header = 44}.ipv6(), DecodeStatus::ok},
        Header{"first_fragment", PacketText{.extensions = fragment(6, 1), .next_header = 44}.ipv6(),
               DecodeStatus::fragment},
        Header{"later_fragment", PacketText{.extensions = fragment(6, 8), .next_header = 44}.ipv6(),
               DecodeStatus::fragment},
        Header{"udp", PacketText{.next_header = 17}.ipv6(), DecodeStatus::foreign},
        Header{"payload_length_zero", [] { std::string b = kV6; b[4] = b[5] = 0; return b; }(),
               DecodeStatus::bad_header},
        Header{"payload_length_beyond_the_frame", PacketText{.ip_length = 200}.ipv6(), DecodeStatus::bad_header},
        Header{"cut_extension", PacketText{.extensions = std::string("\x06\x50", 2), .next_header = 60}.ipv6(),
               DecodeStatus::bad_header}));

TEST(Decode, PaddingIsNotPayload) {
    for (std::size_t size = 1; size <= 6; ++size) {
        const std::string bytes = ethernet(PacketText{.payload = std::string(size, 'p')}.ipv4()) + zeros(6 - size);
        const auto result = decode_text(bytes, LinkType::ethernet);
        EXPECT_EQ(result.status, DecodeStatus::ok);
        EXPECT_EQ(result.packet.payload.size(), size);
    }
}

TEST(Decode, BigTcpHasNoUsableLength) {
    const std::string payload(180000, 'b');
    const std::string v4 = with_total_length(PacketText{.payload = payload}.ipv4(), 0);
    const auto from_v4 = decode_text(v4, LinkType::raw_ip, {}, ChecksumState::trusted);
    ASSERT_EQ(from_v4.status, DecodeStatus::ok);
    std::string v6 = PacketText{.payload = payload}.ipv6();
    v6[4] = v6[5] = 0;
    const auto from_v6 = decode_text(v6, LinkType::raw_ip, {}, ChecksumState::trusted);
    ASSERT_EQ(from_v6.status, DecodeStatus::ok);
    EXPECT_EQ(from_v6.packet.payload.size(), payload.size());
    const std::string jumbo = std::string("\x06\0\xc2\x04", 4) + be32(8 + 20 + 180000);
    v6 = PacketText{.payload = payload, .extensions = jumbo, .next_header = 0}.ipv6();
    v6[4] = v6[5] = 0;
    EXPECT_EQ(decode_text(v6 + "pad", LinkType::raw_ip, {}, ChecksumState::trusted).packet.payload.size(), 180000u);
}

TEST(Decode, CutCapturesAreTruncated) {
    const std::string bytes = PacketText{.payload = std::string(500, 'x')}.ipv4();
    EXPECT_EQ(decode_text(bytes.substr(0, 100), LinkType::raw_ip, {}, ChecksumState::verify, bytes.size()).status,
              DecodeStatus::truncated);
    EXPECT_EQ(decode_text(bytes.substr(0, 100)).status, DecodeStatus::bad_header);
}

TEST(Decode, HeadersOfCutPacketsAreRead) {
    const std::string v4 = PacketText{.payload = std::string(500, 'x')}.ipv4();
    const std::string v6 = PacketText{.payload = std::string(500, 'x')}.ipv6();
    for (const std::string& bytes : {v4, v6}) {
        const auto cut = decode_text(bytes.substr(0, 70), LinkType::raw_ip, {}, ChecksumState::verify, bytes.size());
        EXPECT_EQ(cut.status, DecodeStatus::truncated);
        EXPECT_TRUE(cut.headers_only);
        EXPECT_EQ(cut.packet.payload_len, 500u);
        EXPECT_EQ(to_server_header(cut.packet).payload_len, 500u);
        EXPECT_EQ(cut.packet.source.port, 40000);
        const auto short_cut =
            decode_text(bytes.substr(0, 39), LinkType::raw_ip, {}, ChecksumState::verify, bytes.size());
        EXPECT_FALSE(short_cut.headers_only);
    }
}

TEST(Decode, PartialChecksumsCountOnVirtualDevicesOnly) {
    std::string bytes = kV4;
    const auto pseudo =
        checksum_fold(tcp_pseudo_sum(*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2"), bytes.size() - 20));
    std::memcpy(&bytes[36], &pseudo, 2);
    EXPECT_EQ(decode_text(bytes).status, DecodeStatus::bad_checksum);
    EXPECT_EQ(payload_of(decode_text(bytes)), "hello");
    const auto virtual_device = decode_text(bytes, LinkType::raw_ip, {.virtual_device = true});
    EXPECT_EQ(virtual_device.status, DecodeStatus::ok);
    EXPECT_TRUE(virtual_device.partial_checksum);
    const auto told = decode_text(bytes, LinkType::raw_ip, {}, ChecksumState::partial);
    EXPECT_EQ(told.status, DecodeStatus::ok);
    EXPECT_TRUE(told.partial_checksum);
    EXPECT_FALSE(decode_text(kV4, LinkType::raw_ip, {.virtual_device = true}).partial_checksum);
    EXPECT_EQ(decode_text(PacketText{.checksum_error = 7}.ipv4(), LinkType::raw_ip, {.virtual_device = true}).status,
              DecodeStatus::bad_checksum);
}

TEST(Decode, TcpOptions) {
    const std::string all = std::string("\x03\x03\x07\x04\x02\x08\x0a", 7) + be32(111) + be32(222) +
                            std::string("\x1e\x04\0\0\x13\x12", 6) + zeros(16) + std::string("\x01\0\0", 3);
    const TcpOptions options = decode_text(PacketText{.tcp_options = all.substr(0, 40)}.ipv4()).packet.options;
    EXPECT_EQ(options.window_scale, 7);
    EXPECT_TRUE(options.sack_permitted);
    EXPECT_EQ(options.tsval, 111u);
    EXPECT_EQ(options.tsecr, 222u);
    EXPECT_TRUE(options.mptcp);
    EXPECT_TRUE(options.md5);
}

TEST(Decode, ABadOptionEndsTheOptionsNotTheSegment) {
    const std::string timestamps = std::string("\x08\x0a", 2) + be32(1) + be32(2) + "\x01\x01";
    for (const std::string& bad : {std::string("\xfd\0\x01\x01", 4), std::string("\xfd\x01\x01\x01", 4)}) {
        const std::string bytes = PacketText{.tcp_options = bad + timestamps}.ipv4();
        const auto result = decode_text(bytes);
        EXPECT_EQ(result.status, DecodeStatus::ok);
        EXPECT_FALSE(result.packet.options.tsval);
        EXPECT_EQ(payload_of(result), "hello");
    }
    const std::string unknown = PacketText{.tcp_options = "\xfd\x04\x01\x01" + timestamps}.ipv4();
    EXPECT_EQ(decode_text(unknown).packet.options.tsval, 1u);
    const std::string past_the_end = PacketText{.tcp_options = "\x01\x01\x08\x0a"}.ipv4();
    EXPECT_FALSE(decode_text(past_the_end).packet.options.tsval);
    const std::string wide = PacketText{.tcp_options = std::string("\x03\x03\xff\x01", 4)}.ipv4();
    EXPECT_EQ(decode_text(wide).packet.options.window_scale, 14);
}

TEST(Decode, SurvivesAnyBytes) {
    std::mt19937 random(7);
    for (int i = 0; i < 200000; ++i) {
        std::string bytes = i % 2 ? kV4 : PacketText{.extensions = options(60) + options(6), .next_header = 0}.ipv6();
        for (unsigned changes = random() % 6; changes > 0; --changes)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        bytes.resize(random() % 4 ? bytes.size() : random() % bytes.size());
        const auto link = static_cast<LinkType>(random() % 5);
        const auto result = decode_text(bytes, link, {.verify_ip_checksum = random() % 2 == 0}, ChecksumState::trusted);
        ASSERT_LE(result.packet.payload.size(), bytes.size());
    }
}

}  // namespace
}  // namespace umbra::test
