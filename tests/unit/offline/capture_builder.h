// Writes connections as packets and packets as capture files, byte by byte, for the tests of the offline verbs.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "offline/streams.h"
#include "unit/flow/packet_writer.h"

namespace umbra::test {

struct TcpText {
    bool from_client = true;
    std::uint32_t seq = 0, ack = 0;
    unsigned flags = kAck;
    std::string payload = {};
    std::uint16_t client_port = 40000;
    std::uint64_t checksum_error = 0;
    std::size_t cut = 0;  // bytes that the snap length takes away

    std::string ip() const {
        const std::string client("\x0a\0\0\x01", 4), server("\x0a\0\0\x02", 4);
        std::string tcp = be16(from_client ? client_port : 80) + be16(from_client ? 80 : client_port) + be32(seq) +
                          be32(ack) + '\x50' + static_cast<char>(flags) + be16(64000) + zeros(4) + payload;
        const auto a = *IpAddress::parse("10.0.0.1"), b = *IpAddress::parse("10.0.0.2");
        fix_checksum(tcp, 16, tcp_pseudo_sum(a, b, static_cast<std::uint32_t>(tcp.size())) + checksum_error);
        std::string header = std::string("\x45\0", 2) + be16(static_cast<unsigned>(20 + tcp.size())) + zeros(4) +
                             "\x40\x06" + zeros(2) + (from_client ? client + server : server + client);
        fix_checksum(header, 10, 0);
        return header + tcp;
    }
};

using Packets = std::vector<TcpText>;

inline void append(Packets& packets, const Packets& more) { packets.insert(packets.end(), more.begin(), more.end()); }

// Handshake, the request in two segments, the server's ACKs, both FINs.
inline Packets connection(const std::string& request, std::uint16_t port = 40000, std::uint32_t isn = 1000) {
    const auto half = static_cast<std::uint32_t>(request.size() / 2), all = static_cast<std::uint32_t>(request.size());
    const std::uint32_t c = isn + 1, s = 5001;
    Packets packets{{true, isn, 0, kSyn},
                    {false, 5000, c, kSyn | kAck},
                    {true, c, s, kAck},
                    {true, c, s, kAck, request.substr(0, half)},
                    {true, c + half, s, kAck | kPsh, request.substr(half)},
                    {false, s, c + all, kAck, "HTTP/1.1 200 OK\r\n\r\n"},
                    {true, c + all, s + 19, kAck | kFin},
                    {false, s + 19, c + all + 1, kAck | kFin},
                    {true, c + all + 1, s + 20, kAck}};
    for (TcpText& packet : packets) packet.client_port = port;
    return packets;
}

struct Link {
    unsigned type;
    std::string header;
    std::string name;
};

inline std::vector<Link> every_link() {
    const std::string ip = be16(0x0800);
    return {{1, zeros(12) + ip, "ethernet"},
            {1, zeros(12) + be16(0x8100) + be16(7) + ip, "vlan"},
            {1, zeros(12) + be16(0x88a8) + be16(7) + be16(0x8100) + be16(8) + ip, "qinq"},
            {12, "", "raw12"},
            {14, "", "raw14"},
            {101, "", "raw101"},
            {228, "", "ipv4"},
            {113, zeros(14) + ip, "sll"},
            {276, ip + zeros(18), "sll2"},
            {0, std::string("\x02\0\0\0", 4), "null"},
            {108, be32(2), "loop"}};
}

// Integers in the byte order of the file.
struct FileWriter {
    bool big = false;
    std::string bytes = {};

    void u16(unsigned value) { bytes += big ? be16(value) : std::string{be16(value)[1], be16(value)[0]}; }
    void u32(std::uint32_t value) {
        const std::string text = be32(value);
        bytes += big ? text : std::string(text.rbegin(), text.rend());
    }
};

inline std::string pcap_file(const Packets& packets, const Link& link, bool big = false, bool nano = false) {
    FileWriter file{big};
    file.u32(nano ? 0xa1b23c4d : 0xa1b2c3d4);
    file.u16(2);
    file.u16(4);
    for (const std::uint32_t field : {0u, 0u, 65535u, link.type}) file.u32(field);
    std::uint32_t number = 0;
    for (const TcpText& packet : packets) {
        const std::string data = link.header + packet.ip();
        const auto size = static_cast<std::uint32_t>(data.size()), kept = size - static_cast<std::uint32_t>(packet.cut);
        for (const std::uint32_t field : {1000u, ++number * (nano ? 1000 : 1), kept, size}) file.u32(field);
        file.bytes += data.substr(0, kept);
    }
    return file.bytes;
}

class OfflineTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "umbra-offline-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    std::string write(const std::string& bytes, const std::string& name = "test.pcap") {
        std::ofstream(folder / name, std::ios::binary) << bytes;
        return folder / name;
    }
    std::string contents(const std::string& name) const {
        std::ifstream file(out() / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::filesystem::path out() const { return folder / "out"; }

    offline::StreamsOptions options(const std::string& path, Mode mode = Mode::strict) const {
        offline::StreamsOptions made;
        made.capture.path = path;
        made.capture.mode = mode;
        made.writer.folder = out();
        made.force = true;
        return made;
    }
    // Reads the capture; the index is in `index`, its error in `error`.
    void extract(const offline::StreamsOptions& wanted) {
        offline::StreamsRun run(wanted);
        offline::Progress silent(nullptr);
        const auto outcome = run.run(silent);
        error = outcome ? "" : outcome.error().message;
        std::ostringstream text;
        run.write_index(text);
        index = nlohmann::json::parse(text.str());
        summary = run.summary();
        for (const auto& entry : index) {
            EXPECT_EQ(contents(entry["file"]).size(), entry["bytes"].get<std::size_t>());
        }
    }
    void extract(const Packets& packets, Mode mode = Mode::strict) {
        extract(options(write(pcap_file(packets, every_link()[0])), mode));
    }
    std::string bytes(std::size_t number = 0) const {
        return number < index.size() ? contents(index[number]["file"]) : "";
    }
    std::string state(std::size_t number = 0) const {
        return number < index.size() ? index[number]["state"].get<std::string>() : "";
    }

    std::filesystem::path folder;
    nlohmann::json index;
    std::string error, summary;
};

}  // namespace umbra::test
