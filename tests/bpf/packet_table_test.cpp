// Each row: one packet, what the counters say afterwards, and what reached user space.
#include <gtest/gtest.h>

#include "bpf/prog_runner.h"
#include "bpf/world.h"

namespace umbra::test {
namespace {

struct PacketCase {
    const char* name;
    PacketSpec packet;
    const char* counted;  // as ProgRunner::counted
    RunContext context = {};
    std::size_t clones = 0;
    std::size_t records = 0;
    std::size_t bare_clones = 0;
};

constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16, kUrg = 32;
const char kOne[] = "0:seen=1/5 0:cloned=1/5";
const RunContext kEgress{"umbra_egress"};
const RunContext kBareIn{"umbra_in_ip"}, kBareOut{"umbra_out_ip"};

PacketSpec hello() {
    PacketSpec spec;
    spec.payload = "hello";
    return spec;
}
template <class Change>
PacketSpec with(Change change) {
    PacketSpec spec = hello();
    change(spec);
    return spec;
}
PacketSpec hello6() {
    return with([](PacketSpec& p) { p.source = "[fd01::1]:40000", p.target = "[fd00::10]:80"; });
}
template <class Change>
PacketSpec with6(Change change) {
    PacketSpec spec = hello6();
    change(spec);
    return spec;
}
PacketSpec from(const char* server) {
    return with([&](PacketSpec& p) { p.source = server, p.target = "10.0.0.1:40000"; });
}
PacketSpec to(const char* server, const char* client = "10.0.0.1:40000") {
    return with([&](PacketSpec& p) { p.source = client, p.target = server; });
}
PacketSpec flags(std::uint8_t bits) {
    return with([&](PacketSpec& p) { p.flags = bits, p.payload.clear(); });
}
std::vector<Extension> options(std::size_t count) { return std::vector<Extension>(count, Extension::options(60)); }

const std::vector<PacketCase>& table() {
    using P = PacketSpec;
    static const std::vector<PacketCase> kCases = {
        // what is cloned
        {"payload", hello(), kOne, {}, 1},
        {"payload_v6", hello6(), kOne, {}, 1},
        {"syn", flags(kSyn), "0:seen=1/0 0:cloned=1/0", {}, 1},
        {"fin", flags(kFin | kAck), "0:seen=1/0 0:cloned=1/0", {}, 1},
        {"rst", flags(kRst), "0:seen=1/0 0:cloned=1/0", {}, 1},
        {"urgent_without_payload", flags(kUrg | kAck), "0:seen=1/0 0:cloned=1/0", {}, 1},
        {"bare_ack", flags(kAck), "0:bare_acks=1/0"},
        {"no_flags_no_payload", flags(0), "0:bare_acks=1/0"},
        {"tcp_options", with([](P& p) { p.tcp_options.assign(40, 1); }), kOne, {}, 1},
        {"ethernet_padding", with([](P& p) { p.padding = 30; }), kOne, {}, 1},
        {"padding_is_no_payload", with([](P& p) { p.payload.clear(), p.flags = kAck, p.padding = 6; }),
         "0:bare_acks=1/0"},
        // whose it is
        {"other_port", to("10.0.0.10:81"), ""},
        {"other_address", to("10.0.0.99:80"), ""},
        {"client_side_of_endpoint_port", with([](P& p) { p.source = "10.0.0.10:81", p.target = "10.0.0.1:80"; }), ""},
        {"udp", with([](P& p) { p.protocol = 17; }), ""},
        {"arp", with([](P& p) { p.ether_type = 0x0806; }), ""},
        {"llc_length", with([](P& p) { p.ether_type = 60; }), ""},
        // tags
        {"vlan", with([](P& p) { p.tags = {{}}; }), kOne, {}, 1},
        {"vlan_v6", with6([](P& p) { p.tags = {{}}; }), kOne, {}, 1},
        {"qinq",
         with([](P& p) {
             p.tags = {{0x88a8, 7}, {}};
         }),
         kOne,
         {},
         1},
        {"two_8100",
         with([](P& p) {
             p.tags = {{}, {}};
         }),
         kOne,
         {},
         1},
        {"three_tags", with([](P& p) {
             p.tags = {{}, {}, {}};
         }),
         ""},
        {"vlan_cut", with([](P& p) { p.tags = {{}}, p.cut = 16; }), ""},
        // IPv4
        {"ip_options", with([](P& p) { p.ip_options.assign(40, 1); }), kOne, {}, 1},
        {"header_words_4", with([](P& p) { p.ip_words = 4; }), ""},
        {"header_words_0", with([](P& p) { p.ip_words = 0; }), ""},
        {"version_6_as_v4", with([](P& p) { p.ether_type = 0x86dd; }), ""},
        {"length_beyond_frame", with([](P& p) { p.ip_length = 46; }), "0:seen=1/6 0:malformed=1/6"},
        {"length_cuts_payload", with([](P& p) { p.ip_length = 43; }), "0:seen=1/3 0:cloned=1/3", {}, 1},
        {"length_cuts_header", with([](P& p) { p.ip_length = 39; }), "0:seen=1/0 0:malformed=1/0"},
        {"length_leaves_ports", with([](P& p) { p.ip_length = 24; }), "0:seen=1/0 0:malformed=1/0"},
        {"length_cuts_ports", with([](P& p) { p.ip_length = 23; }), ""},
        {"length_below_header", with([](P& p) { p.ip_length = 19; }), ""},
        {"length_0", with([](P& p) { p.ip_length = 0; }), ""},
        {"length_0_gso_is_big_tcp",
         with([](P& p) { p.ip_length = 0; }),
         "0:seen=1/5 0:clone_failed=1/5",
         {"umbra_ingress", 100}},
        {"first_fragment", with([](P& p) { p.fragment = 0x2000; }), "0:seen=1/5 0:fragment=1/5"},
        {"later_fragment", with([](P& p) { p.fragment = 0x2001; }), ""},
        {"last_fragment", with([](P& p) { p.fragment = 1; }), ""},
        {"dont_fragment", with([](P& p) { p.fragment = 0x4000; }), kOne, {}, 1},
        // IPv6
        {"v6_hop_by_hop", with6([](P& p) { p.extensions = {Extension::options(0)}; }), kOne, {}, 1},
        {"v6_long_hop_by_hop", with6([](P& p) { p.extensions = {Extension::options(0, 9)}; }), kOne, {}, 1},
        {"v6_hop_by_hop_late", with6([](P& p) {
             p.extensions = {Extension::options(60), Extension::options(0)};
         }),
         ""},
        {"v6_8_options", with6([](P& p) { p.extensions = options(8); }), kOne, {}, 1},
        {"v6_9_options", with6([](P& p) { p.extensions = options(9); }), ""},
        {"v6_routing_done", with6([](P& p) { p.extensions = {Extension::routing(0)}; }), kOne, {}, 1},
        {"v6_routing_on", with6([](P& p) { p.extensions = {Extension::routing(1)}; }), ""},
        {"v6_atomic_fragment", with6([](P& p) { p.extensions = {Extension::fragment(0)}; }), kOne, {}, 1},
        {"v6_first_fragment", with6([](P& p) { p.extensions = {Extension::fragment(1)}; }),
         "0:seen=1/5 0:fragment=1/5"},
        {"v6_later_fragment", with6([](P& p) { p.extensions = {Extension::fragment(8)}; }), ""},
        {"v6_extension_cut", with6([](P& p) { p.extensions = {Extension::options(60)}, p.cut = 58; }), ""},
        {"v6_no_next_header", with6([](P& p) { p.protocol = 59; }), ""},
        {"v6_length_0", with6([](P& p) { p.ip_length = 0; }), ""},
        {"v6_length_0_gso_is_big_tcp",
         with6([](P& p) { p.ip_length = 0; }),
         "0:seen=1/5 0:clone_failed=1/5",
         {"umbra_ingress", 100}},
        {"v6_length_beyond_frame", with6([](P& p) { p.ip_length = 26; }), "0:seen=1/6 0:malformed=1/6"},
        // TCP
        {"data_offset_4", with([](P& p) { p.tcp_words = 4; }), "0:seen=1/0 0:malformed=1/0"},
        {"data_offset_beyond", with([](P& p) { p.tcp_words = 7; }), "0:seen=1/0 0:malformed=1/0"},
        {"data_offset_eats_payload", with([](P& p) { p.tcp_words = 6; }), "0:seen=1/1 0:cloned=1/1", {}, 1},
        {"cut_in_tcp", with([](P& p) { p.cut = 14 + 20 + 8; }), "0:seen=1/0 0:malformed=1/0"},
        {"cut_in_ports", with([](P& p) { p.cut = 14 + 20 + 3; }), ""},
        // directions and hooks
        {"local_out", hello(), "", kEgress},
        {"local_reply", from("10.0.0.10:80"), "0:server=1/5", kEgress, 0, 1},
        {"local_reply_in", from("10.0.0.10:80"), "", {}},
        {"behind_out", to("10.0.0.11:80"), kOne, kEgress, 1},
        {"behind_in", to("10.0.0.11:80"), ""},
        {"behind_reply", from("10.0.0.11:80"), "0:server=1/5", {}, 0, 1},
        {"behind_reply_out", from("10.0.0.11:80"), "", kEgress},
        {"behind_other_device", to("10.0.0.12:80"), "", kEgress},
        {"behind_other_device_reply", from("10.0.0.12:80"), ""},
        {"local_other_device", to("10.0.0.13:80"), ""},
        {"port_of_no_bridge", to("10.0.0.14:80"), "", kEgress},
        {"reply_bare_ack", with([](P& p) { p.source = "10.0.0.10:80", p.target = "10.0.0.1:9", p.payload.clear(); }),
         "0:server=1/0", kEgress, 0, 1},
        {"reply_malformed", with([](P& p) { p.source = "10.0.0.10:80", p.target = "10.0.0.1:9", p.tcp_words = 3; }), "",
         kEgress},
        // devices without link headers
        {"bare", with([](P& p) { p.link_header = false; }), kOne, kBareIn, 0, 0, 1},
        {"bare_v6", with6([](P& p) { p.link_header = false; }), kOne, kBareIn, 0, 0, 1},
        {"bare_reply", with([](P& p) { p.link_header = false, p.source = "10.0.0.10:80", p.target = "10.0.0.1:9"; }),
         "0:server=1/5", kBareOut, 0, 1},
        {"ethernet_is_not_bare", hello(), "", kBareIn},
        // rules
        {"source_fits_first", to("10.0.0.20:80", "10.1.2.3:5"), "1:seen=1/5 1:cloned=1/5", {}, 1},
        {"source_falls_through", to("10.0.0.20:80", "10.2.2.3:5"), kOne, {}, 1},
        {"source_fits_v6", to("[fd00::20]:80", "[fd01::9]:5"), "1:seen=1/5 1:cloned=1/5", {}, 1},
        {"source_fits_not_v6", to("[fd00::20]:80", "[fd02::9]:5"), ""},
        {"source_only", to("10.0.0.21:80", "10.2.2.3:5"), ""},
        {"no_mirror_ends", to("10.0.0.22:80"), ""},
        {"condition_then_none", to("10.0.0.23:80"), "3:seen=1/5 3:cloned=1/5", {}, 1},
        {"restricted_none_mirror", to("10.0.0.24:80", "10.2.0.1:5"), ""},
        {"none_sampled", to("10.0.0.25:80"), "4:seen=1/5 4:unsampled=1/5"},
        {"none_sampled_reply", from("10.0.0.25:80"), "", kEgress},
        {"condition_then_mirror", to("10.0.0.26:80"), "3:seen=1/5 3:cloned=1/5", {}, 1},
    };
    return kCases;
}

class PacketTable : public testing::TestWithParam<PacketCase> {
protected:
    static void SetUpTestSuite() {
        runner_ = ProgRunner::make(reason_);
        if (!runner_) return;
        runner_->write(world());
        runner_->set_device(kLoopback, 0);
    }
    static void TearDownTestSuite() { runner_.reset(); }

    static inline std::unique_ptr<ProgRunner> runner_;
    static inline std::string reason_;
};

TEST_P(PacketTable, row) {
    if (!runner_) GTEST_SKIP() << reason_;
    const PacketCase& row = GetParam();
    const Frame frame = build(row.packet);
    ASSERT_TRUE(runner_->run(frame, row.context));
    EXPECT_EQ(runner_->counted(), row.counted);
    const auto clones = runner_->clones();
    EXPECT_EQ(clones.size(), row.clones);
    for (const Frame& clone : clones) EXPECT_EQ(clone, frame);
    EXPECT_EQ(runner_->clones(true).size(), row.bare_clones);
    EXPECT_EQ(runner_->records().size(), row.records);
}

// Limits: vlan_tags, ext_headers.
INSTANTIATE_TEST_SUITE_P(Packets, PacketTable, testing::ValuesIn(table()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace umbra::test
