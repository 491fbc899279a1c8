// Kinds of capture files, and broken ones.
#include <gtest/gtest.h>
#include <zlib.h>

#include "unit/offline/capture_builder.h"

namespace umbra::test {
namespace {

using Formats = OfflineTest;

const std::string kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_F(Formats, EveryLinkTypeByteOrderAndPrecisionGivesTheSameStream) {
    for (const Link& link : every_link()) {
        for (const bool big : {false, true}) {
            for (const bool nano : {false, true}) {
                if (big && link.name == "null") continue;  // its header is in the byte order of the file
                extract(options(write(pcap_file(connection(kRequest), link, big, nano))));
                EXPECT_EQ(error, "") << link.name;
                ASSERT_EQ(index.size(), 1u) << link.name;
                EXPECT_EQ(bytes(), kRequest) << link.name;
                EXPECT_EQ(state(), "EOF") << link.name;
                EXPECT_EQ(index[0]["mode"], "strict");
                EXPECT_EQ(index[0]["first"], "1970-01-01T00:16:40.000001000Z");
            }
        }
    }
}

// Blocks of pcapng: type, body padded to four bytes, length at both ends.
void block(FileWriter& file, std::uint32_t type, const FileWriter& body) {
    std::string padded = body.bytes;
    padded.resize((padded.size() + 3) / 4 * 4);
    const auto length = static_cast<std::uint32_t>(padded.size() + 12);
    file.u32(type);
    file.u32(length);
    file.bytes += padded;
    file.u32(length);
}

void section(FileWriter& file) {
    FileWriter body{file.big};
    body.u32(0x1a2b3c4d);
    body.u16(1);
    body.u16(0);
    body.u32(0xffffffff);
    body.u32(0xffffffff);
    block(file, 0x0a0d0d0a, body);
}

void interface(FileWriter& file, bool nano) {
    FileWriter body{file.big};
    body.u16(1);
    body.u16(0);
    body.u32(65535);
    if (nano) {  // if_tsresol
        body.u16(9);
        body.u16(1);
        body.bytes += std::string("\x09\0\0\0", 4);
    }
    body.u16(2);  // if_name
    body.u16(4);
    body.bytes += "eth0";
    body.u32(0);
    block(file, 1, body);
}

void enhanced(FileWriter& file, std::uint32_t interface_number, std::uint32_t time, const std::string& data) {
    FileWriter body{file.big};
    for (const std::uint32_t field : {interface_number, 0u, time}) body.u32(field);
    for (int twice = 0; twice < 2; ++twice) body.u32(static_cast<std::uint32_t>(data.size()));
    body.bytes += data;
    block(file, 6, body);
}

TEST_F(Formats, PcapngWithSeveralSectionsInterfacesAndSimplePackets) {
    const Packets packets = connection(kRequest);
    for (const bool big : {false, true}) {
        FileWriter file{big};
        for (std::size_t i = 0; i < packets.size(); ++i) {
            if (i % 4 == 0) {
                section(file);
                interface(file, false);
                interface(file, true);
            }
            const std::string data = zeros(12) + be16(0x0800) + packets[i].ip();
            if (i == 6) {
                FileWriter simple{big};
                simple.u32(static_cast<std::uint32_t>(data.size()));
                simple.bytes += data;
                block(file, 3, simple);
            } else {
                enhanced(file, i % 2, static_cast<std::uint32_t>(i), data);
            }
        }
        extract(options(write(file.bytes, "test.pcapng")));
        EXPECT_EQ(error, "");
        ASSERT_EQ(index.size(), 1u);
        EXPECT_EQ(bytes(), kRequest);
        EXPECT_EQ(state(), "EOF");
    }
}

TEST_F(Formats, AFileCutAnywhereGivesWhatItHoldsAndAnError) {
    const Link link = every_link()[0];
    const std::string whole = pcap_file(connection(kRequest), link);
    std::vector<std::size_t> ends{24};
    for (const TcpText& packet : connection(kRequest)) ends.push_back(ends.back() + 16 + 14 + packet.ip().size());
    for (std::size_t length = 0; length < whole.size(); ++length) {
        extract(options(write(whole.substr(0, length))));
        const auto end = std::find(ends.begin(), ends.end(), length);
        if (end != ends.end()) {
            EXPECT_EQ(error, "") << length;
        } else {
            EXPECT_NE(error.find("test.pcap'"), std::string::npos) << length << " " << error;
        }
        if (length > ends[1]) {
            EXPECT_EQ(index.size(), 1u) << length;
            if (end == ends.end()) {
                EXPECT_NE(error.find("the file breaks after"), std::string::npos) << error;
            }
        }
        const std::string expected = length < ends[4] ? "" : kRequest.substr(0, length < ends[5] ? 13 : 99);
        EXPECT_EQ(bytes(), expected) << length;
    }
}

TEST_F(Formats, TheErrorSaysWhereTheFileBreaks) {
    const std::string whole = pcap_file(connection(kRequest), every_link()[0]);
    extract(options(write(whole.substr(0, whole.size() - 5))));
    EXPECT_NE(error.find("after 8 packets, at byte " + std::to_string(whole.size() - 5)), std::string::npos) << error;
}

TEST_F(Formats, GzipIsReadAndItsEarlyEndIsNoticed) {
    Packets packets;
    for (std::uint16_t port = 1000; port < 1200; ++port) append(packets, connection(kRequest, port));
    const std::string plain = pcap_file(packets, every_link()[0]);
    const std::string path = folder / "test.pcap.gz";
    gzFile out = gzopen(path.c_str(), "wb");
    gzwrite(out, plain.data(), static_cast<unsigned>(plain.size()));
    gzclose(out);
    extract(options(path));
    EXPECT_EQ(error, "");
    EXPECT_EQ(index.size(), 200u);
    const auto size = std::filesystem::file_size(path);
    for (const std::size_t cut : {1u, 8u, 100u, 1000u}) {
        std::filesystem::resize_file(path, size - cut);
        extract(options(path));
        EXPECT_NE(error, "") << cut;
        EXPECT_GT(index.size(), 1u) << cut;
    }
}

TEST_F(Formats, PacketsCutByTheSnapLength) {
    Packets packets = connection(kRequest);
    packets[5].cut = 19;  // the server's payload: its headers are what counts
    extract(packets);
    EXPECT_EQ(bytes(), kRequest);
    EXPECT_EQ(index[0]["mode"], "strict");
    packets[4].cut = 1;  // the client's second half is lost
    extract(packets);
    EXPECT_EQ(bytes(), kRequest.substr(0, 13));
    EXPECT_EQ(state(), "open");
    EXPECT_EQ(index[0]["cut"], "gap");
    EXPECT_EQ(index[0]["missing"], 14);
    EXPECT_NE(summary.find("2 packets cut by the snap length"), std::string::npos) << summary;
    extract(packets, Mode::one_sided);
    EXPECT_EQ(bytes(), kRequest.substr(0, 13));
}

TEST_F(Formats, SaysWhyAFileIsNoCapture) {
    extract(options(folder / "missing"));
    EXPECT_NE(error.find("No such file"), std::string::npos) << error;
    extract(options(write("this is not a capture, but it is long enough to be one")));
    EXPECT_NE(error.find("test.pcap"), std::string::npos) << error;
    EXPECT_FALSE(std::filesystem::exists(out()));
}

}  // namespace
}  // namespace umbra::test
