// The whole data path between real TCP sockets in namespaces of the test's own: clones and records arrive, each packet
// once, at the same worker, and nothing else is cloned.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "bpf/net_lab.h"
#include "bpf/prog_runner.h"
#include "loader/link_watcher.h"
#include "loader/mapped_array.h"

#include "umbra/abi/hash.h"

namespace umbra::test {
namespace {

using loader::Datapath;
using loader::DatapathOptions;

class LiveTest : public testing::Test {
protected:
    void SetUp() override {
        lab_ = NetLab::make();
        if (!lab_) GTEST_SKIP() << "needs root and network namespaces";
    }
    void mirror(const std::vector<std::string>& origins, const DatapathOptions& options = {}) {
        auto datapath = Datapath::make(options);
        ASSERT_TRUE(datapath) << datapath.error().message;
        datapath_ = std::move(*datapath);
        auto report = datapath_->apply(mirror_all(origins));
        ASSERT_TRUE(report) << report.error().message;
        report_ = *report;
    }
    umbra_rule_counters counters() {
        auto counters = datapath_->rule_counters(*datapath_->slot_of("test/rule"));
        EXPECT_TRUE(counters);
        return counters ? *counters : umbra_rule_counters{};
    }
    std::vector<Frame> frames(unsigned worker = 0) { return read_queue(datapath_->queue_fd(worker)); }
    // A client namespace behind veth "v0", the server in "host" at 10.9.0.1 and fd09::1.
    void client_and_local_server() {
        lab_->connect("v0", "client", "10.9.0.2/24");
        lab_->enter("client");
        NetLab::sh("ip addr add fd09::2/64 dev eth0 nodad");
        lab_->enter("host");
        NetLab::sh("ip addr add 10.9.0.1/24 dev v0 && ip addr add fd09::1/64 dev v0 nodad");
    }

    std::unique_ptr<NetLab> lab_;
    std::unique_ptr<Datapath> datapath_;
    loader::ApplyReport report_;
};

void expect_exact(const umbra_rule_counters& counters, const std::vector<Frame>& frames, std::size_t bytes) {
    EXPECT_EQ(counters.seen.packets, counters.cloned.packets);
    EXPECT_EQ(counters.seen.bytes, bytes);
    EXPECT_EQ(counters.cloned.bytes, bytes);
    EXPECT_EQ(frames.size(), counters.cloned.packets);
    EXPECT_EQ(payload_bytes(frames), bytes);
}

TEST_F(LiveTest, capture_device_has_no_address_route_or_qdisc) {
    mirror({});
    const std::string name = datapath_->capture_device();
    EXPECT_EQ(NetLab::output("ip -o addr show dev " + name), "");
    EXPECT_EQ(NetLab::output("ip -6 route show table all dev " + name), "");
    EXPECT_EQ(NetLab::output("ip route show table all dev " + name), "");
    EXPECT_NE(NetLab::output("tc qdisc show dev " + name).find("noqueue"), std::string::npos);
    EXPECT_TRUE(frames().empty());
    datapath_.reset();
    EXPECT_EQ(NetLab::output("ip -o link show type tun"), "");
}

// Limits: devices.
TEST_F(LiveTest, a_plan_for_more_devices_than_the_limit_is_refused_whole) {
    client_and_local_server();
    DatapathOptions options;
    options.devices = 1;
    options.ifaces = {"lo", "v0"};
    auto datapath = Datapath::make(options);
    ASSERT_TRUE(datapath) << datapath.error().message;
    EXPECT_FALSE((*datapath)->apply(mirror_all({"10.9.0.1:8080"})));
    EXPECT_TRUE((*datapath)->attach_points().empty());
    datapath->reset();
    options.ifaces = {"v0"};
    mirror({"10.9.0.1:8080"}, options);
    EXPECT_EQ(datapath_->attach_points().size(), 1u);
}

TEST_F(LiveTest, local_server_is_mirrored_once_over_both_families) {
    client_and_local_server();
    mirror({"10.9.0.1:8080", "[fd09::1]:8080"});
    for (const char* server : {"10.9.0.1:8080", "[fd09::1]:8080"}) {
        TcpPair other(*lab_, "client", "host", std::string(server, std::strlen(server) - 4) + "8081");
        other.send(100);
    }
    EXPECT_EQ(counters().seen.packets, 0u);
    EXPECT_TRUE(frames().empty());

    std::size_t sent = 0;
    std::vector<TcpPair> open;
    for (const char* server : {"10.9.0.1:8080", "[fd09::1]:8080"}) {
        TcpPair& pair = open.emplace_back(*lab_, "client", "host", server);
        pair.send(100);
        pair.reply(1000);
        pair.send(200);
        sent += 300;
    }
    expect_exact(counters(), frames(), sent);
    const auto records = read_ring(datapath_->ring_fd(0));
    EXPECT_EQ(records.size(), counters().server.packets);
    std::size_t replied = 0;
    for (const auto& record : records) replied += record.payload_len;
    EXPECT_EQ(replied, 2000u);
}

TEST_F(LiveTest, client_on_the_same_host_is_mirrored_once) {
    client_and_local_server();
    mirror({"10.9.0.1:8080"});
    TcpPair pair(*lab_, "host", "host", "10.9.0.1:8080");
    pair.send(100);
    pair.reply(100);
    expect_exact(counters(), frames(), 100);
}

TEST_F(LiveTest, clone_and_record_of_a_flow_reach_the_same_worker) {
    client_and_local_server();
    constexpr unsigned kWorkers = 4;
    DatapathOptions options;
    options.workers = kWorkers;
    mirror({"10.9.0.1:8080"}, options);
    std::size_t used = 0;
    std::vector<TcpPair> open;  // a late FIN of an earlier flow would be the next one's
    for (int i = 0; i < 24; ++i) {
        TcpPair& pair = open.emplace_back(*lab_, "client", "host", "10.9.0.1:8080");
        pair.send(10);
        pair.reply(10);
        unsigned with_clones = 0, with_records = 0;
        for (unsigned worker = 0; worker < kWorkers; ++worker) {
            const bool clones = !frames(worker).empty(), records = !read_ring(datapath_->ring_fd(worker)).empty();
            EXPECT_EQ(clones, records) << "worker " << worker;
            with_clones += clones;
            with_records += records;
            if (clones) used |= 1u << worker;
        }
        EXPECT_EQ(with_clones, 1u);
    }
    EXPECT_NE(used & (used - 1), 0u) << "all flows at one worker";
}

TEST_F(LiveTest, super_segments_stay_whole) {
    client_and_local_server();
    mirror({"10.9.0.1:8080", "[fd09::1]:8080"});
    std::vector<TcpPair> open;
    for (const char* server : {"10.9.0.1:8080", "[fd09::1]:8080"}) {
        constexpr std::size_t kBytes = 8 * 1024 * 1024;
        const umbra_rule_counters before = counters();
        TcpPair& pair = open.emplace_back(*lab_, "client", "host", server);
        pair.send(kBytes);
        const auto got = frames();
        EXPECT_EQ(payload_bytes(got), kBytes);
        EXPECT_EQ(counters().seen.bytes - before.seen.bytes, kBytes);
        EXPECT_EQ(got.size(), counters().cloned.packets - before.cloned.packets);
        std::size_t largest = 0;
        for (const Frame& frame : got) largest = std::max(largest, frame.size());
        EXPECT_GT(largest, 60'000u);
    }
    EXPECT_EQ(counters().seen.packets, counters().cloned.packets);
}

TEST_F(LiveTest, big_tcp_arrives_complete) {
    client_and_local_server();
    const std::string limits = "gso_max_size 185000 gro_max_size 185000";
    if (std::system(("ip link set v0 " + limits + " 2>/dev/null").c_str()) != 0) GTEST_SKIP() << "needs BIG TCP";
    lab_->enter("client");
    NetLab::sh("ip link set eth0 " + limits);
    lab_->enter("host");
    DatapathOptions options;
    options.queue_length = 65'536;
    mirror({"[fd09::1]:8080"}, options);
    constexpr std::size_t kBytes = 8 * 1024 * 1024;
    TcpPair pair(*lab_, "client", "host", "[fd09::1]:8080");
    pair.send(kBytes);
    const auto got = frames();
    EXPECT_GE(counters().seen.bytes, kBytes) << "more on a slow machine: the client repeats itself";
    EXPECT_EQ(counters().cloned.bytes, counters().seen.bytes);
    EXPECT_EQ(payload_bytes(got), counters().cloned.bytes);
    std::size_t largest = 0;
    for (const Frame& frame : got) largest = std::max(largest, frame.size());
    std::printf("big tcp: %llu packets seen, %zu frames read, largest %zu bytes\n",
                static_cast<unsigned long long>(counters().seen.packets), got.size(), largest);
}

TEST_F(LiveTest, full_queue_costs_the_client_nothing_and_is_counted_exactly) {
    client_and_local_server();
    constexpr std::uint32_t kLength = 16;
    DatapathOptions options;
    options.queue_length = kLength;
    mirror({"10.9.0.1:8080"}, options);
    TcpPair pair(*lab_, "client", "host", "10.9.0.1:8080");
    for (int i = 0; i < 100; ++i) pair.send(10);
    const umbra_rule_counters now = counters();
    EXPECT_EQ(now.cloned.packets, kLength);
    EXPECT_EQ(now.seen.packets, now.cloned.packets + now.dropped.queue_full.packets);
    EXPECT_EQ(now.seen.bytes, 1000u);
    EXPECT_EQ(frames().size(), kLength);
}

TEST_F(LiveTest, server_behind_a_veth) {
    lab_->connect("v0", "client", "10.9.0.2/24");
    lab_->connect("v1", "server", "10.8.0.2/24");
    NetLab::sh("ip addr add 10.9.0.1/24 dev v0 && ip addr add 10.8.0.1/24 dev v1 && sysctl -qw net.ipv4.ip_forward=1");
    lab_->enter("client");
    NetLab::sh("ip route add default via 10.9.0.1");
    lab_->enter("server");
    NetLab::sh("ip route add default via 10.8.0.1");
    lab_->enter("host");
    mirror({"10.8.0.2:80"});
    ASSERT_EQ(datapath_->attach_points().size(), 1u);
    EXPECT_EQ(datapath_->attach_points()[0].device, "v1");
    TcpPair pair(*lab_, "client", "server", "10.8.0.2:80");
    pair.send(100);
    pair.reply(50);
    TcpPair from_host(*lab_, "host", "server", "10.8.0.2:80");
    from_host.send(10);
    expect_exact(counters(), frames(), 110);
    EXPECT_GT(counters().server.packets, 0u);
}

TEST_F(LiveTest, bridged_guests_are_seen_between_ports_and_new_ports_after_refresh) {
    lab_->connect("p0", "client", "10.7.0.2/24");
    NetLab::sh("ip link add br0 type bridge && ip link set br0 up && ip addr add 10.7.0.1/24 dev br0");
    NetLab::sh("ip link set p0 master br0");
    mirror({"10.7.0.3:80"});
    EXPECT_EQ(report_.added, std::vector<std::string>{"p0"});
    lab_->connect("p1", "server", "10.7.0.3/24");
    NetLab::sh("ip link set p1 master br0");
    auto report = datapath_->refresh();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->added, std::vector<std::string>{"p1"});
    EXPECT_EQ(report->generation, 1u);

    TcpPair pair(*lab_, "client", "server", "10.7.0.3:80");
    pair.send(100);
    pair.reply(50);
    TcpPair from_host(*lab_, "host", "server", "10.7.0.3:80");
    from_host.send(10);
    expect_exact(counters(), frames(), 110);

    NetLab::sh("ip link del p1");
    report = datapath_->refresh();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->removed, std::vector<std::string>{"p1"});
}

TEST_F(LiveTest, remote_endpoints_are_reported_not_attached) {
    client_and_local_server();
    NetLab::sh("ip route add 10.5.0.0/24 via 10.9.0.2");
    mirror({"10.5.0.1:80", "203.0.113.7:80"});
    ASSERT_EQ(report_.remote.size(), 2u);
    EXPECT_EQ(report_.remote[0].why, "behind a gateway");
    EXPECT_TRUE(report_.remote[1].why.starts_with("unreachable")) << report_.remote[1].why;
    EXPECT_TRUE(datapath_->attach_points().empty());
}

TEST_F(LiveTest, reload_changes_endpoints_and_resets_nothing) {
    client_and_local_server();
    mirror({"10.9.0.1:8080"});
    TcpPair first(*lab_, "client", "host", "10.9.0.1:8080");
    first.send(100);
    for (int i = 0; i < 20; ++i) {
        auto report = datapath_->apply(mirror_all({"10.9.0.1:8080", "10.9.0.1:8082"}));
        ASSERT_TRUE(report);
        EXPECT_EQ(report->generation, static_cast<std::uint64_t>(i + 2));
        EXPECT_TRUE(report->added.empty());
        EXPECT_TRUE(report->removed.empty());
        first.send(10);
    }
    EXPECT_EQ(counters().seen.bytes, 300u);
    EXPECT_EQ(counters().cloned.bytes, 300u);
    rules::Plan invalid = mirror_all({"10.9.0.1:8082"});
    for (int i = 0; i < 300; ++i) {
        invalid.rules.push_back(invalid.rules[0]);
        invalid.rules.back().key += std::to_string(i);
    }
    auto refused = datapath_->apply(invalid);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_rules);
    first.send(10);
    EXPECT_EQ(counters().cloned.bytes, 310u);
    ASSERT_TRUE(datapath_->apply({}));
    EXPECT_TRUE(datapath_->attach_points().empty());
}

TEST_F(LiveTest, cloning_stops_also_where_no_plan_can_be_made) {
    client_and_local_server();
    lab_->connect("v1", "other", "10.8.0.2/24");
    DatapathOptions options;
    options.ifaces = {"v0", "v1"};
    mirror({"10.9.0.1:8080"}, options);
    TcpPair pair(*lab_, "client", "host", "10.9.0.1:8080");
    pair.send(100);
    ASSERT_EQ(counters().cloned.bytes, 100u);
    const std::uint32_t slot = *datapath_->slot_of("test/rule");
    NetLab::sh("ip link del v1");
    ASSERT_FALSE(datapath_->apply({})) << "a device that is named is gone";
    pair.send(100);
    ASSERT_EQ(datapath_->rule_counters(slot)->cloned.bytes, 200u) << "a plan that is refused changes nothing";
    EXPECT_TRUE(datapath_->stop_cloning());
    pair.send(100);
    EXPECT_EQ(datapath_->rule_counters(slot)->cloned.bytes, 200u);
    EXPECT_TRUE(datapath_->attach_points().empty());
}

TEST_F(LiveTest, a_slot_that_changes_hands_goes_on_counting) {
    client_and_local_server();
    mirror({"10.9.0.1:8080"});
    TcpPair pair(*lab_, "client", "host", "10.9.0.1:8080");
    pair.send(100);
    EXPECT_EQ(counters().cloned.bytes, 100u);
    const std::uint32_t slot = *datapath_->slot_of("test/rule");
    rules::Plan others;
    for (int i = 0; i < UMBRA_MAX_RULES; ++i) {
        others.rules.emplace_back();
        others.rules.back().key = "other/" + std::to_string(i);
    }
    ASSERT_TRUE(datapath_->apply(others));
    EXPECT_FALSE(datapath_->slot_of("test/rule"));
    const auto kept = datapath_->rule_counters(slot);
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->cloned.bytes, 100u) << "what is in flight may still be counted there";
}

TEST_F(LiveTest, changes_of_devices_addresses_and_routes_are_noticed) {
    auto watcher = loader::LinkWatcher::make();
    ASSERT_TRUE(watcher) << watcher.error().message;
    watcher->drain();
    for (const char* change : {"ip link add v8 type veth peer name v9", "ip addr add 10.6.0.1/24 dev v8",
                               "ip link set v8 up", "ip route add blackhole 10.66.0.0/16", "ip link del v8"}) {
        NetLab::sh(change);
        EXPECT_TRUE(watcher->drain()) << change;
    }
}

}  // namespace
}  // namespace umbra::test
