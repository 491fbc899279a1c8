// What a single row cannot say: state between packets, contents of records, limits.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <cstring>

#include "bpf/prog_runner.h"
#include "bpf/world.h"
#include "terminator/flow_maps.h"

#include "umbra/abi/hash.h"

namespace umbra::test {
namespace {

const RunContext kIngress{"umbra_ingress"}, kEgress{"umbra_egress"};

PacketSpec spec(const std::string& source, const std::string& target, const std::string& payload = "hello") {
    PacketSpec packet;
    packet.source = source;
    packet.target = target;
    packet.payload = payload;
    return packet;
}

umbra_tuple tuple(const char* client, const char* server) {
    return FlowTuple{*Endpoint::parse(client), *Endpoint::parse(server)}.to_key();
}

class ProgramTest : public testing::Test {
protected:
    void start(const loader::DatapathOptions& options = {}) {
        std::string reason;
        runner_ = ProgRunner::make(reason, options);
        if (!runner_) GTEST_SKIP() << reason;
        runner_->write(world());
        runner_->set_device(kLoopback, 0);
    }
    bool run(const PacketSpec& packet, const RunContext& context = kIngress) {
        return runner_->run(build(packet), context);
    }
    void put(int map_fd, const umbra_tuple& key) {
        const __u64 now = 1;
        ASSERT_EQ(bpf_map_update_elem(map_fd, &key, &now, BPF_ANY), 0);
    }

    std::unique_ptr<ProgRunner> runner_;
};

TEST_F(ProgramTest, muted_flow_is_counted_and_not_cloned) {
    start();
    if (!runner_) return;
    put(runner_->datapath().muted_fd(), tuple("10.0.0.1:40000", "10.0.0.10:80"));
    run(spec("10.0.0.1:40000", "10.0.0.10:80"));
    run(spec("10.0.0.1:40001", "10.0.0.10:80"));
    run(spec("10.0.0.10:80", "10.0.0.1:40000"), kEgress);
    EXPECT_EQ(runner_->counted(), "0:seen=2/10 0:cloned=1/5 0:muted=1/5");
    EXPECT_EQ(runner_->clones().size(), 1u);
    EXPECT_TRUE(runner_->records().empty());
}

TEST_F(ProgramTest, a_new_connection_of_a_muted_tuple_is_cloned) {
    start();
    if (!runner_) return;
    put(runner_->datapath().muted_fd(), tuple("10.0.0.1:40000", "10.0.0.10:80"));
    auto syn = spec("10.0.0.1:40000", "10.0.0.10:80");
    syn.flags = 0x02;
    syn.payload = "";
    run(syn);
    run(spec("10.0.0.1:40000", "10.0.0.10:80"));
    EXPECT_EQ(runner_->counted(), "0:seen=2/5 0:cloned=2/5");
    EXPECT_EQ(runner_->clones().size(), 2u);
}

// Limits: muted_flows.
TEST_F(ProgramTest, past_its_limit_a_muted_flow_is_forgotten_and_cloned_again) {
    loader::DatapathOptions options;
    options.muted = 1;
    start(options);
    if (!runner_) return;
    const unsigned flows = 2000;  // more than the kernel keeps per CPU besides
    for (unsigned i = 0; i < flows; ++i)
        put(runner_->datapath().muted_fd(), tuple(("10.0.0.1:" + std::to_string(2000 + i)).c_str(), "10.0.0.10:80"));
    run(spec("10.0.0.1:2000", "10.0.0.10:80"));
    EXPECT_EQ(runner_->counted(), "0:seen=1/5 0:cloned=1/5");
    run(spec("10.0.0.1:" + std::to_string(2000 + flows - 1), "10.0.0.10:80"));
    EXPECT_EQ(runner_->counted(), "0:seen=1/5 0:muted=1/5");
}

// Limits: own_connections.
TEST_F(ProgramTest, past_its_limit_the_loop_guard_takes_no_connection) {
    loader::DatapathOptions options;
    options.own = 1;
    start(options);
    if (!runner_) return;
    OwnConnectionMap own(runner_->datapath().own_fd());
    const auto connection = [](const char* client) {
        return FlowTuple{*Endpoint::parse(client), *Endpoint::parse("10.0.0.10:80")};
    };
    EXPECT_TRUE(own.add(connection("10.0.0.1:40000")));
    EXPECT_FALSE(own.add(connection("10.0.0.1:40001")));
    own.remove(connection("10.0.0.1:40000"));
    EXPECT_TRUE(own.add(connection("10.0.0.1:40001")));
    run(spec("10.0.0.1:40001", "10.0.0.10:80"));
    EXPECT_EQ(runner_->counted(), "0:seen=1/5 0:own=1/5");
}

TEST_F(ProgramTest, own_connection_is_counted_and_not_cloned) {
    start();
    if (!runner_) return;
    put(runner_->datapath().own_fd(), tuple("10.0.0.1:40000", "10.0.0.10:80"));
    run(spec("10.0.0.1:40000", "10.0.0.10:80"));
    run(spec("10.0.0.10:80", "10.0.0.1:40000"), kEgress);
    EXPECT_EQ(runner_->counted(), "0:seen=1/5 0:own=1/5");
    EXPECT_TRUE(runner_->clones().empty());
    EXPECT_TRUE(runner_->records().empty());
}

TEST_F(ProgramTest, sampling_takes_whole_flows_by_the_published_hash) {
    start();
    if (!runner_) return;
    const umbra_rule rule = world().rules.at(5);
    std::size_t expected = 0;
    constexpr unsigned kFlows = 400;
    for (unsigned i = 0; i < kFlows; ++i) {
        const std::string client = "10.0.0.1:" + std::to_string(1000 + i);
        const umbra_tuple key = tuple(client.c_str(), "10.0.0.27:80");
        expected += umbra_flow_hash(&key, rule.seed) < rule.threshold;
        run(spec(client, "10.0.0.27:80"));
        run(spec("10.0.0.27:80", client), kEgress);
    }
    EXPECT_GT(expected, kFlows / 3);
    EXPECT_LT(expected, kFlows * 2 / 3);
    EXPECT_EQ(runner_->clones().size(), expected);
    EXPECT_EQ(runner_->records().size(), expected);
}

TEST_F(ProgramTest, bridge_port_sees_what_leads_to_the_guest) {
    start();
    if (!runner_) return;
    runner_->set_device(kLoopback, kBridge);
    run(spec("10.0.0.1:40000", "10.0.0.14:80"), kEgress);
    run(spec("10.0.0.1:40000", "10.0.0.14:80"), kIngress);
    run(spec("10.0.0.14:80", "10.0.0.1:40000"), kIngress);
    run(spec("10.0.0.1:40000", "10.0.0.10:80"), kIngress);  // local: the bridge itself sees it
    EXPECT_EQ(runner_->counted(), "0:seen=1/5 0:cloned=1/5 0:server=1/5");
}

TEST_F(ProgramTest, next_generation_replaces_the_whole) {
    start();
    if (!runner_) return;
    for (int i = 0; i < 5; ++i) {
        loader::GenerationContent next = world();
        next.endpoints.erase(*Endpoint::parse("10.0.0.10:80"));
        runner_->write(next);
        run(spec("10.0.0.1:40000", "10.0.0.10:80"));
        EXPECT_EQ(runner_->counted(), "");
        runner_->write(world());
        run(spec("10.0.0.1:40000", "10.0.0.10:80"));
        EXPECT_EQ(runner_->counted(), "0:seen=1/5 0:cloned=1/5");
    }
}

TEST_F(ProgramTest, record_holds_the_server_header) {
    start();
    if (!runner_) return;
    PacketSpec packet = spec("[fd00::10]:80", "[fd01::1]:40000", "HTTP/1.1 200 OK\r\nrest");
    packet.tcp_options = {2, 4, 5, 0xb4, 1, 3, 3, 7};
    packet.flags = 0x12;
    packet.seq = 0xfffffff0;
    packet.ack = 77;
    packet.window = 65000;
    packet.extensions = {Extension::options(60)};
    run(packet, kEgress);
    const auto records = runner_->records();
    ASSERT_EQ(records.size(), 1u);
    const umbra_server_record& record = records[0];
    EXPECT_EQ(record.version, UMBRA_ABI_VERSION);
    EXPECT_EQ(record.type, UMBRA_RECORD_SERVER_HEADER);
    EXPECT_EQ(FlowTuple::from_key(record.tuple).to_string(),
              (FlowTuple{*Endpoint::parse("[fd01::1]:40000"), *Endpoint::parse("[fd00::10]:80")}.to_string()));
    EXPECT_EQ(record.seq, 0xfffffff0u);
    EXPECT_EQ(record.ack, 77u);
    EXPECT_EQ(record.window, 65000);
    EXPECT_EQ(record.tcp_flags, 0x12);
    EXPECT_EQ(record.payload_len, packet.payload.size());
    ASSERT_EQ(record.options_len, packet.tcp_options.size());
    EXPECT_EQ(std::memcmp(record.options, packet.tcp_options.data(), record.options_len), 0);
    ASSERT_EQ(record.prefix_len, UMBRA_SERVER_PREFIX);
    EXPECT_EQ(std::memcmp(record.prefix, packet.payload.data(), record.prefix_len), 0);
    for (std::size_t i = record.options_len; i < sizeof(record.options); ++i) EXPECT_EQ(record.options[i], 0);
    EXPECT_GT(record.time_ns, 0u);
}

TEST_F(ProgramTest, record_takes_the_longest_options_and_short_payloads) {
    start();
    if (!runner_) return;
    PacketSpec packet = spec("10.0.0.10:80", "10.0.0.1:40000", "abc");
    packet.tcp_options.assign(40, 1);
    run(packet, kEgress);
    const auto records = runner_->records();
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(records[0].options_len, 40);
    EXPECT_EQ(records[0].prefix_len, 3);
    EXPECT_EQ(std::memcmp(records[0].prefix, "abc", 4), 0);
}

// Limits: capture_queue.
TEST_F(ProgramTest, full_queue_is_counted_exactly) {
    constexpr std::uint32_t kLength = 8, kPackets = 50;
    loader::DatapathOptions options;
    options.queue_length = kLength;
    start(options);
    if (!runner_) return;
    for (std::uint32_t i = 0; i < kPackets; ++i) run(spec("10.0.0.1:40000", "10.0.0.10:80"));
    const std::size_t cloned = runner_->clones().size();
    EXPECT_EQ(cloned, kLength);
    EXPECT_EQ(runner_->counted(), "0:seen=50/250 0:cloned=8/40 0:queue_full=42/210");
    run(spec("10.0.0.1:40000", "10.0.0.10:80"));
    EXPECT_EQ(runner_->counted(), "0:seen=1/5 0:cloned=1/5");
}

// Limits: server_ring.
TEST_F(ProgramTest, full_ring_is_counted_exactly) {
    loader::DatapathOptions options;
    options.ring_bytes = 4096;
    start(options);
    if (!runner_) return;
    constexpr std::size_t kPackets = 100, kRecord = sizeof(umbra_server_record) + 8;
    for (std::size_t i = 0; i < kPackets; ++i) run(spec("10.0.0.10:80", "10.0.0.1:40000"), kEgress);
    const std::size_t kept = runner_->records().size();
    EXPECT_GE(kept, 4096 / kRecord - 1);
    EXPECT_EQ(runner_->counted(), "0:server=100/500 0:ring_full=" + std::to_string(kPackets - kept) + "/" +
                                      std::to_string((kPackets - kept) * 5));
}

TEST_F(ProgramTest, a_ring_wakes_its_reader_only_when_it_fills) {
    loader::DatapathOptions options;
    options.ring_bytes = 64 * 1024;
    start(options);
    if (!runner_) return;
    constexpr std::size_t kRecord = sizeof(umbra_server_record) + 8;
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event edge{.events = EPOLLIN | EPOLLET, .data = {}};
    ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, runner_->datapath().ring_fd(0), &edge), 0);
    const auto fill = [&](std::size_t bytes) {
        for (std::size_t i = 0; i < bytes / kRecord; ++i) run(spec("10.0.0.10:80", "10.0.0.1:40000"), kEgress);
    };
    const auto woken = [&] {
        epoll_event event;
        return ::epoll_wait(epoll.get(), &event, 1, 200) == 1;
    };
    fill(options.ring_bytes / 4);
    EXPECT_FALSE(woken());
    fill(options.ring_bytes / 32 + kRecord);
    EXPECT_TRUE(woken());
}

TEST_F(ProgramTest, both_directions_meet_at_one_worker) {
    loader::DatapathOptions options;
    options.workers = 4;
    start(options);
    if (!runner_) return;
    std::vector<unsigned> flows(4);
    for (unsigned i = 0; i < 200; ++i) {
        const bool v6 = i % 2;
        const std::string client = (v6 ? "[fd01::1]:" : "10.0.0.1:") + std::to_string(2000 + i);
        const std::string server = v6 ? "[fd00::10]:80" : "10.0.0.10:80";
        run(spec(client, server));
        run(spec(server, client), kEgress);
        const umbra_tuple key = tuple(client.c_str(), server.c_str());
        const unsigned worker = umbra_flow_hash(&key, runner_->datapath().flow_seed()) % 4;
        EXPECT_EQ(read_queue(runner_->datapath().queue_fd(worker)).size(), 1u);
        EXPECT_EQ(read_ring(runner_->datapath().ring_fd(worker)).size(), 1u);
        ++flows[worker];
    }
    for (const unsigned count : flows) EXPECT_GT(count, 20u);
}

}  // namespace
}  // namespace umbra::test
