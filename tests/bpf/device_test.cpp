// Packets as devices really deliver them: tags kept beside the packet, no link header, lengths that are no packet.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <random>

#include "bpf/net_lab.h"
#include "bpf/packet_builder.h"
#include "bpf/prog_runner.h"

namespace umbra::test {
namespace {

using loader::Datapath;

class DeviceTest : public testing::Test {
protected:
    void SetUp() override {
        lab_ = NetLab::make();
        if (!lab_) GTEST_SKIP() << "needs root and network namespaces";
    }
    void mirror(const std::vector<std::string>& origins) {
        auto datapath = Datapath::make({});
        ASSERT_TRUE(datapath) << datapath.error().message;
        datapath_ = std::move(*datapath);
        auto report = datapath_->apply(mirror_all(origins));
        ASSERT_TRUE(report) << report.error().message;
    }
    umbra_rule_counters counters() { return *datapath_->rule_counters(0); }

    std::unique_ptr<NetLab> lab_;
    std::unique_ptr<Datapath> datapath_;
};

PacketSpec hello(const std::string& target) {
    PacketSpec spec;
    spec.source = target[0] == '[' ? "[fd09::2]:40000" : "10.9.0.2:40000";
    spec.target = target;
    spec.payload = "hello";
    return spec;
}

// Sends frames as they are out of "client", into v0 of "host".
class RawSender {
public:
    explicit RawSender(NetLab& lab) {
        lab.enter("client");
        fd_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
        address_.sll_family = AF_PACKET;
        address_.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
        lab.enter("host");
    }
    void send(const Frame& frame) {
        ASSERT_EQ(::sendto(fd_.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&address_),
                           sizeof(address_)),
                  static_cast<ssize_t>(frame.size()));
    }

private:
    UniqueFd fd_;
    sockaddr_ll address_{};
};

TEST_F(DeviceTest, tags_in_metadata_and_payload_come_back_in_the_clone) {
    lab_->connect("v0", "client", "10.9.0.2/24");
    NetLab::sh("ip addr add 10.9.0.1/24 dev v0 && ip addr add fd09::1/64 dev v0 nodad");
    mirror({"10.9.0.1:80", "[fd09::1]:80"});
    RawSender sender(*lab_);
    for (const char* target : {"10.9.0.1:80", "[fd09::1]:80"}) {
        for (const std::vector<VlanTag>& tags :
             {std::vector<VlanTag>{}, {{0x8100, 100}}, {{0x88a8, 7}, {0x8100, 100}}, {{0x8100, 7}, {0x8100, 8}}}) {
            PacketSpec spec = hello(target);
            spec.tags = tags;
            const Frame frame = build(spec);
            const umbra_rule_counters before = counters();
            sender.send(frame);
            EXPECT_EQ(counters().cloned.packets - before.cloned.packets, 1u) << target << " tags " << tags.size();
            auto clones = read_queue(datapath_->queue_fd(0));
            ASSERT_EQ(clones.size(), 1u);
            clones[0].erase(clones[0].begin(), clones[0].begin() + sizeof(VirtioHeader));
            EXPECT_EQ(clones[0], frame) << target << " tags " << tags.size();
        }
    }
    const std::uint64_t cloned = counters().seen.packets;
    PacketSpec three = hello("10.9.0.1:80");
    three.tags = {{0x88a8, 1}, {0x8100, 2}, {0x8100, 3}};
    sender.send(build(three));
    EXPECT_EQ(counters().seen.packets, cloned);
}

TEST_F(DeviceTest, packets_without_link_header_come_through_the_bare_queue) {
    UniqueFd tun(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    ifreq request{};
    std::strcpy(request.ifr_name, "t0");
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    ASSERT_EQ(::ioctl(tun.get(), TUNSETIFF, &request), 0);
    NetLab::sh("ip link set t0 up && ip addr add 10.9.0.1/24 dev t0 && ip addr add fd09::1/64 dev t0 nodad");
    mirror({"10.9.0.1:80", "[fd09::1]:80"});
    for (const char* target : {"10.9.0.1:80", "[fd09::1]:80"}) {
        PacketSpec spec = hello(target);
        spec.link_header = false;
        const Frame packet = build(spec);
        ASSERT_EQ(::write(tun.get(), packet.data(), packet.size()), static_cast<ssize_t>(packet.size()));
        auto clones = read_queue(datapath_->bare_queue_fd(0));
        ASSERT_EQ(clones.size(), 1u) << target;
        clones[0].erase(clones[0].begin(), clones[0].begin() + sizeof(VirtioHeader));
        EXPECT_EQ(clones[0], packet);
    }
    EXPECT_EQ(counters().cloned.packets, 2u);
    EXPECT_TRUE(read_queue(datapath_->queue_fd(0)).empty());
}

// What BPF_PROG_TEST_RUN refuses goes through a real device: short frames, wrong ether types, anything.
TEST_F(DeviceTest, garbage_frames_are_not_touched_and_the_ledger_closes) {
    lab_->connect("v0", "client", "10.9.0.2/24");
    NetLab::sh("ip addr add 10.9.0.1/24 dev v0");
    mirror({"10.9.0.1:80"});
    RawSender sender(*lab_);
    std::mt19937 random(7);
    const Frame good = build(hello("10.9.0.1:80"));
    for (int i = 0; i < 50'000; ++i) {
        Frame frame = good;
        for (unsigned change = random() % 4; change > 0; --change)
            frame[12 + random() % (frame.size() - 12)] = static_cast<std::uint8_t>(random());
        if (random() % 4 == 0) frame.resize(14 + random() % (frame.size() - 14));
        sender.send(frame);
        if (i % 1024 == 0) read_queue(datapath_->queue_fd(0));
    }
    const umbra_rule_counters now = counters();
    const auto* dropped = reinterpret_cast<const umbra_count*>(&now.dropped);
    std::uint64_t sum = now.cloned.packets;
    for (unsigned reason = 0; reason < UMBRA_KERNEL_REASON_COUNT; ++reason) sum += dropped[reason].packets;
    EXPECT_EQ(now.seen.packets, sum - now.dropped.ring_full.packets);
    EXPECT_GT(now.cloned.packets, 5'000u);
    EXPECT_GT(now.dropped.malformed.packets, 100u);
}

TEST_F(DeviceTest, a_device_taken_away_while_attached_hurts_nobody) {
    lab_->connect("v0", "client", "10.9.0.2/24");
    lab_->connect("v1", "other", "10.8.0.2/24");
    NetLab::sh("ip addr add 10.9.0.1/24 dev v0");
    mirror({"10.9.0.1:80"});
    NetLab::sh("ip link set v1 down && ip link del v1");
    TcpPair pair(*lab_, "client", "host", "10.9.0.1:80");
    pair.send(10);
    EXPECT_EQ(counters().cloned.bytes, 10u);
    EXPECT_TRUE(datapath_->refresh());
}

}  // namespace
}  // namespace umbra::test
