#include "loader/attach_planner.h"

#include <gtest/gtest.h>
#include <linux/if_arp.h>

#include "umbra/abi/rule.h"

namespace umbra::loader {
namespace {

constexpr std::uint32_t kLo = 1, kEth = 2, kVlan = 3, kBridge = 4, kPortA = 5, kPortB = 6, kUplink = 7, kVeth = 8,
                        kDown = 9, kCapture = 10, kTun = 11, kBond = 12, kSlave = 13;

LinkInfo link(std::uint32_t ifindex, const char* name, const char* kind = "", std::uint32_t master = 0,
              std::uint32_t lower = 0) {
    LinkInfo info;
    info.ifindex = ifindex;
    info.name = name;
    info.kind = kind;
    info.type = ARPHRD_ETHER;
    info.up = true;
    info.master = master;
    info.lower = lower;
    return info;
}

AttachInput input(std::vector<std::string> named = {}) {
    AttachInput in;
    in.links = {link(kLo, "lo"),
                link(kEth, "eth0"),
                link(kVlan, "eth0.5", "vlan", 0, kEth),
                link(kBridge, "br0", "bridge"),
                link(kPortA, "p0", "veth", kBridge),
                link(kPortB, "p1", "tun", kBridge),
                link(kUplink, "eth1", "", kBridge),
                link(kVeth, "cali1", "veth"),
                link(kDown, "eth2"),
                link(kCapture, "umbra0", "tun"),
                link(kTun, "wg0", "wireguard"),
                link(kBond, "bond0", "bond"),
                link(kSlave, "eth3", "", kBond)};
    in.links[0].loopback = true;
    in.links[0].type = ARPHRD_LOOPBACK;
    in.links[8].up = false;
    in.links[10].type = ARPHRD_NONE;
    in.excluded = {kCapture};
    in.named = std::move(named);
    in.route = [](const IpAddress& address) -> RouteAnswer {
        using Kind = RouteAnswer::Kind;
        const std::string text = address.to_string();
        if (text == "127.0.0.1" || text == "10.0.0.1") return {Kind::local, kLo, {}};
        if (text == "10.1.0.2") return {Kind::on_link, kBridge, {}};
        if (text == "10.2.0.2") return {Kind::on_link, kVeth, {}};
        if (text == "10.3.0.2") return {Kind::on_link, kEth, {}};
        if (text == "10.4.0.2") return {Kind::gateway, kEth, {}};
        return {Kind::unreachable, 0, "Network is unreachable"};
    };
    return in;
}

std::vector<Endpoint> at(const char* text) { return {*Endpoint::parse(text)}; }

std::vector<std::uint32_t> devices(const AttachPlan& plan) {
    std::vector<std::uint32_t> all;
    for (const auto& [ifindex, target] : plan.devices) all.push_back(ifindex);
    return all;
}

TEST(AttachPlanner, local_address_takes_every_receiving_device_once) {
    const auto plan = plan_attachments(input(), at("10.0.0.1:80"));
    ASSERT_TRUE(plan);
    EXPECT_EQ(devices(*plan), (std::vector<std::uint32_t>{kLo, kEth, kBridge, kVeth, kTun, kBond}));
    EXPECT_EQ(plan->placements.begin()->second, (Placement{UMBRA_SIDE_LOCAL, 0}));
    EXPECT_FALSE(plan->devices.at(kTun).has_link_header);
    EXPECT_TRUE(plan->devices.at(kEth).has_link_header);
}

TEST(AttachPlanner, behind_a_veth_to_gateways_is_the_network_of_other_hosts) {
    auto in = input();
    const auto guest = plan_attachments(in, at("10.2.0.2:80"));
    ASSERT_TRUE(guest);
    EXPECT_EQ(devices(*guest), (std::vector<std::uint32_t>{kVeth}));
    in.to_gateways = {kVeth};
    const auto neighbour = plan_attachments(in, at("10.2.0.2:80"));
    ASSERT_TRUE(neighbour);
    EXPECT_TRUE(neighbour->devices.empty());
    ASSERT_EQ(neighbour->remote.size(), 1u);
    EXPECT_EQ(neighbour->remote[0].why, "on the network of 'cali1'");
}

TEST(AttachPlanner, loopback_address_takes_lo_only) {
    const auto plan = plan_attachments(input(), at("127.0.0.1:80"));
    ASSERT_TRUE(plan);
    EXPECT_EQ(devices(*plan), (std::vector<std::uint32_t>{kLo}));
}

TEST(AttachPlanner, vlan_is_taken_if_its_lower_device_is_not) {
    AttachInput in = input();
    in.links[1].master = kBond;
    const auto plan = plan_attachments(in, at("10.0.0.1:80"));
    ASSERT_TRUE(plan);
    EXPECT_TRUE(plan->devices.contains(kVlan));
    EXPECT_FALSE(plan->devices.contains(kEth));
}

TEST(AttachPlanner, guest_behind_a_veth) {
    const auto plan = plan_attachments(input(), at("10.2.0.2:80"));
    ASSERT_TRUE(plan);
    EXPECT_EQ(devices(*plan), (std::vector<std::uint32_t>{kVeth}));
    EXPECT_EQ(plan->placements.begin()->second, (Placement{UMBRA_SIDE_BEHIND, kVeth}));
}

TEST(AttachPlanner, guest_behind_a_bridge_takes_virtual_ports) {
    const auto plan = plan_attachments(input(), at("10.1.0.2:80"));
    ASSERT_TRUE(plan);
    EXPECT_EQ(devices(*plan), (std::vector<std::uint32_t>{kPortA, kPortB}));
    EXPECT_EQ(plan->placements.begin()->second, (Placement{UMBRA_SIDE_BEHIND_PORT, kBridge}));
    EXPECT_EQ(plan->devices.at(kPortA).bridge, kBridge);
}

TEST(AttachPlanner, other_hosts_are_remote) {
    for (const char* endpoint : {"10.3.0.2:80", "10.4.0.2:80", "203.0.113.1:80"}) {
        const auto plan = plan_attachments(input(), at(endpoint));
        ASSERT_TRUE(plan);
        EXPECT_TRUE(plan->devices.empty()) << endpoint;
        EXPECT_TRUE(plan->placements.empty()) << endpoint;
        ASSERT_EQ(plan->remote.size(), 1u) << endpoint;
        EXPECT_FALSE(plan->remote[0].why.empty());
    }
}

TEST(AttachPlanner, named_devices_replace_routes) {
    const auto through = plan_attachments(input({"eth0"}), at("10.4.0.2:80"));
    ASSERT_TRUE(through);
    EXPECT_EQ(devices(*through), (std::vector<std::uint32_t>{kEth}));
    EXPECT_EQ(through->placements.begin()->second, (Placement{UMBRA_SIDE_BEHIND, kEth}));
    const auto towards = plan_attachments(input({"eth0"}), at("10.2.0.2:80"));
    ASSERT_TRUE(towards);
    EXPECT_EQ(towards->placements.begin()->second, (Placement{UMBRA_SIDE_LOCAL, 0}));
}

TEST(AttachPlanner, a_named_port_sees_what_is_behind_its_bridge) {
    const auto plan = plan_attachments(input({"p0"}), at("10.1.0.2:80"));
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->placements.begin()->second, (Placement{UMBRA_SIDE_BEHIND_PORT, kBridge}));
    ASSERT_EQ(plan->devices.size(), 1u);
    EXPECT_EQ(plan->devices.begin()->second.bridge, kBridge);
}

TEST(AttachPlanner, named_devices_must_be_there_and_up) {
    EXPECT_FALSE(plan_attachments(input({"nosuch"}), {}));
    EXPECT_FALSE(plan_attachments(input({"eth2"}), {}));
    EXPECT_FALSE(plan_attachments(input({"umbra0"}), {}));
}

}  // namespace
}  // namespace umbra::loader
