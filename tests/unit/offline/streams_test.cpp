// What the index says of connections, and which bytes their files hold.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "unit/offline/capture_builder.h"

namespace umbra::test {
namespace {

using Streams = OfflineTest;

const std::string kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

Packets without(Packets packets, const std::vector<std::size_t>& numbers) {
    for (auto number = numbers.rbegin(); number != numbers.rend(); ++number)
        packets.erase(packets.begin() + static_cast<std::ptrdiff_t>(*number));
    return packets;
}

TEST_F(Streams, AnEntryAsTheDesignHasIt) {
    extract(connection(kRequest));
    ASSERT_EQ(index.size(), 1u);
    EXPECT_EQ(index[0]["file"], "0001_10.0.0.1.40000-10.0.0.2.80.client");
    EXPECT_EQ(index[0]["client"], "10.0.0.1:40000");
    EXPECT_EQ(index[0]["server"], "10.0.0.2:80");
    EXPECT_EQ(index[0]["bytes"], kRequest.size());
    EXPECT_EQ(index[0]["sha256"].get<std::string>().size(), 64u);
    EXPECT_EQ(index[0]["packets"], 9);
    EXPECT_FALSE(index[0].contains("cut"));
    EXPECT_FALSE(index[0].contains("unacknowledged"));
}

TEST_F(Streams, NamesAreSafeAndInOrder) {
    offline::StreamIndex streams;
    const FlowTuple v6{*Endpoint::parse("[2001:db8::1]:4000"), *Endpoint::parse("[::1]:80")};
    streams.begin({*Endpoint::parse("10.0.0.1:1"), *Endpoint::parse("10.0.0.2:80")}, false);
    streams.begin(v6, false);
    EXPECT_EQ(streams.file_name(1), "0002_2001_db8__1.4000-__1.80.client");
}

TEST_F(Streams, StatesWithoutBytes) {
    const Packets all = connection("");
    for (const Mode mode : {Mode::strict, Mode::one_sided}) {
        extract({all[0]}, mode);
        EXPECT_EQ(state(), "nohs");
        extract({all[0], all[1]}, mode);
        EXPECT_EQ(state(), "nohs");
        extract({all[0], all[1], all[2]}, mode);
        EXPECT_EQ(state(), "open");
        extract(all, mode);
        EXPECT_EQ(state(), "EOF");
        extract({all[0], all[1], all[2], {true, 1001, 5001, kRst}}, mode);
        EXPECT_EQ(state(), "ECONNRESET");
        extract({all[0], all[1], {true, 1001, 0, kRst}}, mode);
        EXPECT_EQ(state(), "nohs");
        EXPECT_EQ(index.size(), 1u);
    }
}

TEST_F(Streams, StatesWithBytes) {
    const Packets all = connection(kRequest);
    for (const Mode mode : {Mode::strict, Mode::one_sided}) {
        extract(Packets(all.begin(), all.begin() + 6), mode);
        EXPECT_EQ(state(), "open");
        EXPECT_EQ(bytes(), kRequest);
        Packets reset(all.begin(), all.begin() + 6);
        reset.push_back({true, 1001 + static_cast<std::uint32_t>(kRequest.size()), 5020, kRst});
        extract(reset, mode);
        EXPECT_EQ(state(), "ECONNRESET");
        EXPECT_EQ(bytes(), kRequest);
    }
}

TEST_F(Streams, AFlowWithoutItsServerIsReadOneSided) {
    Packets client;
    for (const TcpText& packet : connection(kRequest))
        if (packet.from_client) client.push_back(packet);
    extract(client);
    EXPECT_EQ(bytes(), kRequest);
    EXPECT_EQ(index[0]["mode"], "one-sided");
    EXPECT_EQ(index[0]["unacknowledged"], kRequest.size());
    extract(without(connection(kRequest), {1}));
    EXPECT_EQ(bytes(), kRequest) << "only the SYN-ACK is missing";
}

TEST_F(Streams, WhatTheLastAckWasNotCapturedForIsReadAndNamed) {
    const Packets all = connection(kRequest);
    extract({all[0], all[1], all[2], all[3], {false, 5001, 1014, kAck}, all[4]});
    EXPECT_EQ(bytes(), kRequest);
    EXPECT_EQ(index[0]["unacknowledged"], 14);
    EXPECT_EQ(index[0]["mode"], "one-sided");
}

TEST_F(Streams, NothingBehindAGapIsWritten) {
    extract(without(connection(kRequest), {3}));
    EXPECT_EQ(bytes(), "");
    EXPECT_EQ(index[0]["cut"], "gap");
    EXPECT_EQ(index[0]["missing"], 13);
    EXPECT_EQ(index[0]["behind_gap"], 14);
    EXPECT_EQ(state(), "open");
}

TEST_F(Streams, ConnectionsThatWereOpenBeforeOnRequest) {
    const Packets later = without(connection(kRequest), {0, 1, 2});
    extract(later);
    ASSERT_EQ(index.size(), 1u);
    EXPECT_EQ(state(), "nohs");
    EXPECT_EQ(index[0]["midstream"], true);
    EXPECT_EQ(index[0]["bytes"], 0);
    Packets with_ack{{false, 5001, 1001, kAck}};
    append(with_ack, later);
    auto wanted = options(write(pcap_file(with_ack, every_link()[0])));
    wanted.writer.midstream = true;
    extract(wanted);
    EXPECT_EQ(bytes(), kRequest);
    EXPECT_EQ(index[0]["midstream"], true);
}

TEST_F(Streams, EveryUseOfATupleIsAStreamOfItsOwn) {
    for (const Mode mode : {Mode::strict, Mode::one_sided}) {
        Packets packets = connection("first", 40000, 1000);
        append(packets, connection("second one", 40000, 900000));
        append(packets, connection("", 40000, 2000000));
        append(packets, connection("fourth", 40000, 3000000));
        extract(packets, mode);
        ASSERT_EQ(index.size(), 4u);
        EXPECT_EQ(bytes(0), "first");
        EXPECT_EQ(bytes(1), "second one");
        EXPECT_EQ(bytes(2), "");
        EXPECT_EQ(bytes(3), "fourth");
        for (std::size_t number = 0; number < 4; ++number) EXPECT_EQ(state(number), "EOF") << number;
        packets.push_back({true, 9000000, 0, kSyn});
        extract(packets, mode);
        EXPECT_EQ(index.size(), 4u) << "an attempt that leads to nothing is not listed";
    }
}

TEST_F(Streams, WrongChecksumsAreTheNetworkCardsOrDamage) {
    Packets offloaded = connection(kRequest);
    for (TcpText& packet : offloaded) packet.checksum_error = packet.from_client ? 77 : 0;
    extract(offloaded);
    EXPECT_EQ(bytes(), kRequest);
    EXPECT_NE(summary.find("checksums left to the network card"), std::string::npos) << summary;
    Packets damaged = connection(kRequest);
    damaged.insert(damaged.begin() + 3, damaged[3]);
    damaged[3].payload[0] = 'X';
    damaged[3].checksum_error = 77;
    extract(damaged);
    EXPECT_EQ(bytes(), kRequest);
    EXPECT_NE(summary.find("1 packets with wrong checksums left out"), std::string::npos) << summary;
    auto trusting = options(folder / "test.pcap");
    trusting.capture.checksums = offline::ChecksumPolicy::trust;
    extract(trusting);
    EXPECT_EQ(bytes()[0], 'X');
}

// Limits: open_files.
TEST_F(Streams, ManyStreamsAtOnceWithFewOpenFiles) {
    Packets packets;
    for (std::size_t step = 0; step < 9; ++step)
        for (std::uint16_t port = 1; port <= 300; ++port)
            packets.push_back(connection(std::string(400, static_cast<char>('a' + port % 26)), port)[step]);
    auto wanted = options(write(pcap_file(packets, every_link()[0])));
    wanted.writer.open_files = 3;
    extract(wanted);
    ASSERT_EQ(index.size(), 300u);
    for (std::uint16_t port = 1; port <= 300; ++port)
        EXPECT_EQ(bytes(port - 1u), std::string(400, static_cast<char>('a' + port % 26)));
}

TEST_F(Streams, FewerDescriptorsThanWishedFor) {
    Packets packets;
    for (std::size_t step = 0; step < 9; ++step)
        for (std::uint16_t port = 1; port <= 60; ++port) packets.push_back(connection(kRequest, port)[step]);
    const auto wanted = options(write(pcap_file(packets, every_link()[0])));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit few{20, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    extract(wanted);
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(error, "");
    ASSERT_EQ(index.size(), 60u);
    for (std::size_t number = 0; number < 60; ++number) EXPECT_EQ(bytes(number), kRequest);
}

// Limits: capture_streams.
TEST_F(Streams, BeyondItsLimitTheIndexSaysSo) {
    Packets packets;
    for (std::uint16_t port = 1; port <= 5; ++port) append(packets, connection(kRequest, port));
    auto wanted = options(write(pcap_file(packets, every_link()[0])));
    wanted.writer.max_streams = 3;
    extract(wanted);
    EXPECT_EQ(index.size(), 3u);
    EXPECT_NE(summary.find("beyond the limit"), std::string::npos) << summary;
}

TEST_F(Streams, TheFolderMustBeEmptyUnlessForced) {
    auto wanted = options(write(pcap_file(connection(kRequest), every_link()[0])));
    wanted.force = false;
    extract(wanted);
    EXPECT_EQ(error, "");
    extract(wanted);
    EXPECT_NE(error.find("not empty"), std::string::npos) << error;
    wanted.force = true;
    extract(wanted);
    EXPECT_EQ(error, "");
    EXPECT_EQ(bytes(), kRequest);
}

// Bytes, sum and state of every flow of public captures, as a Linux socket read them.
class PublicCaptures : public OfflineTest, public testing::WithParamInterface<Mode> {};

TEST_P(PublicCaptures, AreWhatALinuxSocketRead) {
    const char* const named = std::getenv("UMBRA_CORPORA");
    const std::filesystem::path corpora = named ? named : "../shared/corpora";
    std::ifstream file(corpora / "pcap/expected.json");
    if (!file) GTEST_SKIP() << "corpora not found: set UMBRA_CORPORA";
    std::map<std::string, nlohmann::json> captures;
    std::size_t flows = 0;
    for (const auto& flow : nlohmann::json::parse(file)) captures[flow["file"]].push_back(flow);
    for (const auto& [name, expected] : captures) {
        extract(options(corpora / "pcap" / name, GetParam()));
        EXPECT_EQ(error, "") << name;
        for (const auto& flow : expected) {
            std::string server = flow["server"];
            if (server.find(':') != server.rfind(':') && server[0] != '[')
                server = "[" + server.substr(0, server.rfind(':')) + "]" + server.substr(server.rfind(':'));
            const auto found = std::find_if(index.begin(), index.end(), [&](const auto& entry) {
                return entry["client"] == flow["client"] && entry["server"] == server;
            });
            ASSERT_NE(found, index.end()) << flow;
            ++flows;
            // Here the server acknowledges data on the SYN; the socket of the oracle had no Fast Open.
            if (GetParam() == Mode::strict && name == "zeek/payload-syn.pcap") continue;
            for (const char* const field : {"bytes", "sha256", "state"})
                EXPECT_EQ((*found)[field], flow[field]) << flow;
        }
    }
    EXPECT_GT(flows, 200u);
}

INSTANTIATE_TEST_SUITE_P(Modes, PublicCaptures, testing::Values(Mode::strict, Mode::one_sided),
                         [](const auto& mode) { return mode.param == Mode::strict ? "strict" : "one_sided"; });

}  // namespace
}  // namespace umbra::test
