#include "capture/pcap_source.h"

#include <gtest/gtest.h>
#include <pcap/pcap.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace umbra {
namespace {

struct Collected : PacketSink {
    struct Packet {
        std::string data;
        std::uint32_t wire_len;
        LinkType link;
        ChecksumState checksum;
        TimeNs time;
    };
    void on_packet(const CapturedPacket& packet) override {
        packets.push_back(
            {std::string(as_text(packet.data)), packet.wire_len, packet.link, packet.checksum, packet.time});
    }
    std::vector<Packet> packets;
};

class PcapSourceTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "umbra-pcap-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    std::string write(int datalink, int precision, int packets) {
        const std::string path = folder / "test.pcap";
        pcap_t* const dead = pcap_open_dead_with_tstamp_precision(datalink, 65535, precision);
        pcap_dumper_t* const dumper = pcap_dump_open(dead, path.c_str());
        for (int i = 0; i < packets; ++i) {
            pcap_pkthdr header{};
            header.ts.tv_sec = 1000 + i;
            header.ts.tv_usec = 7;
            header.caplen = 4;
            header.len = 60;
            pcap_dump(reinterpret_cast<u_char*>(dumper), &header, reinterpret_cast<const u_char*>("abcd"));
        }
        pcap_dump_close(dumper);
        pcap_close(dead);
        return path;
    }
    static std::string contents(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::filesystem::path folder;
};

TEST_F(PcapSourceTest, ReadsLinkTypesAndPrecisions) {
    const std::pair<int, LinkType> links[] = {
        {DLT_EN10MB, LinkType::ethernet},     {DLT_RAW, LinkType::raw_ip},
        {DLT_IPV4, LinkType::raw_ip},         {DLT_IPV6, LinkType::raw_ip},
        {DLT_LINUX_SLL, LinkType::linux_sll}, {DLT_LINUX_SLL2, LinkType::linux_sll2},
        {DLT_NULL, LinkType::bsd_loopback},   {DLT_LOOP, LinkType::bsd_loopback}};
    for (const auto& [datalink, link] : links) {
        for (const int precision : {PCAP_TSTAMP_PRECISION_MICRO, PCAP_TSTAMP_PRECISION_NANO}) {
            auto source = PcapSource::open(write(datalink, precision, 3), ChecksumState::trusted);
            ASSERT_TRUE(source) << source.error().message;
            Collected collected;
            const auto count = (*source)->read(collected);
            ASSERT_TRUE(count);
            EXPECT_EQ(*count, 3u);
            EXPECT_EQ((*source)->packets(), 3u);
            const auto& last = collected.packets[2];
            EXPECT_EQ(last.data, "abcd");
            EXPECT_EQ(last.wire_len, 60u);
            EXPECT_EQ(last.link, link);
            EXPECT_EQ(last.checksum, ChecksumState::trusted);
            const TimeNs fraction = precision == PCAP_TSTAMP_PRECISION_NANO ? 7 : 7 * kMicrosecond;
            EXPECT_EQ(last.time, 1002 * kSecond + fraction);
        }
    }
}

TEST_F(PcapSourceTest, ReadsGzipAndInPortions) {
    const std::string plain = contents(write(DLT_EN10MB, PCAP_TSTAMP_PRECISION_MICRO, 10));
    const std::string path = folder / "test.pcap.gz";
    gzFile out = gzopen(path.c_str(), "wb");
    gzwrite(out, plain.data(), static_cast<unsigned>(plain.size()));
    gzclose(out);
    auto source = PcapSource::open(path, ChecksumState::verify);
    ASSERT_TRUE(source);
    Collected collected;
    EXPECT_EQ(*(*source)->read(collected, 4), 4u);
    EXPECT_EQ(*(*source)->read(collected, 4), 4u);
    EXPECT_EQ(*(*source)->read(collected, 4), 2u);
    EXPECT_EQ(*(*source)->read(collected, 4), 0u);
    EXPECT_EQ(collected.packets.size(), 10u);
    EXPECT_GT((*source)->progress(), 0.0);
    EXPECT_LE((*source)->progress(), 1.0);
}

TEST_F(PcapSourceTest, ABrokenFileGivesWhatCouldBeReadAndThenAnError) {
    const std::string path = write(DLT_EN10MB, PCAP_TSTAMP_PRECISION_MICRO, 5);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 2);
    auto source = PcapSource::open(path, ChecksumState::verify);
    ASSERT_TRUE(source);
    Collected collected;
    const auto count = (*source)->read(collected);
    ASSERT_FALSE(count);
    EXPECT_EQ(collected.packets.size(), 4u);
    EXPECT_NE(count.error().message.find("after 4 packets"), std::string::npos) << count.error().message;
}

TEST_F(PcapSourceTest, SaysWhyAFileCannotBeOpened) {
    const auto missing = PcapSource::open(folder / "missing", ChecksumState::verify);
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message.find("No such file"), std::string::npos);
    std::ofstream(folder / "text") << "this is not a capture, but it is long enough to be one";
    const auto text = PcapSource::open(folder / "text", ChecksumState::verify);
    ASSERT_FALSE(text);
    EXPECT_NE(text.error().message.find("text"), std::string::npos);
    const auto link = PcapSource::open(write(DLT_IEEE802_11, PCAP_TSTAMP_PRECISION_MICRO, 1), ChecksumState::verify);
    ASSERT_FALSE(link);
    EXPECT_NE(link.error().message.find("IEEE802_11"), std::string::npos) << link.error().message;
    std::ofstream(folder / "empty").flush();
    EXPECT_FALSE(PcapSource::open(folder / "empty", ChecksumState::verify));
}

}  // namespace
}  // namespace umbra
