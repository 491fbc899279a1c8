// Beside others and after death: foreign programs and filters stay as they were, and nothing of ours outlives us.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "bpf/net_lab.h"
#include "bpf/prog_runner.h"
#include "loader/tcx.h"

namespace umbra::test {
namespace {

using loader::AttachMode;
using loader::Datapath;
using loader::DatapathOptions;

constexpr char kFiltersAndQdiscs[] =
    "tc qdisc show dev v0; tc filter show dev v0 ingress; tc filter show dev v0 egress; tc qdisc show dev v1; "
    "tc filter show dev v1 ingress; tc filter show dev v1 egress";

std::vector<std::uint32_t> tcx_programs(unsigned ifindex, bpf_attach_type type) {
    std::vector<std::uint32_t> ids(16);
    LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = ids.data(), .prog_cnt = 16);
    if (bpf_prog_query_opts(static_cast<int>(ifindex), type, &query) != 0) return {};
    ids.resize(query.prog_cnt);
    return ids;
}

// A classifier that returns 0: it would end the chain for programs behind it.
UniqueFd foreign_program() {
    const bpf_insn code[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    return UniqueFd(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", code, std::size(code), nullptr));
}

bool program_exists(std::uint32_t id) {
    const UniqueFd fd(bpf_prog_get_fd_by_id(id));
    return static_cast<bool>(fd);
}

// Kernel objects go shortly after the last descriptor.
template <class Condition>
bool soon(Condition condition) {
    for (int i = 0; i < 500; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

class LifecycleTest : public testing::TestWithParam<AttachMode> {
protected:
    void SetUp() override {
        lab_ = NetLab::make();
        if (!lab_) GTEST_SKIP() << "needs root and network namespaces";
        if (GetParam() == AttachMode::tcx && !loader::probe_features().tcx) GTEST_SKIP() << "needs tcx";
        lab_->connect("v0", "client", "10.9.0.2/24");
        lab_->connect("v1", "other", "10.8.0.2/24");
        NetLab::sh("ip addr add 10.9.0.1/24 dev v0");
        ifindex_ = ::if_nametoindex("v0");
    }
    std::unique_ptr<Datapath> start() {
        DatapathOptions options;
        options.mode = GetParam();
        auto datapath = Datapath::make(options);
        EXPECT_TRUE(datapath) << datapath.error().message;
        if (!datapath) return nullptr;
        auto report = (*datapath)->apply(mirror_all({"10.9.0.1:8080"}));
        EXPECT_TRUE(report) << report.error().message;
        return report ? std::move(*datapath) : nullptr;
    }
    void expect_mirroring(Datapath& datapath) {
        TcpPair pair(*lab_, "client", "host", "10.9.0.1:8080");
        pair.send(100);
        auto counters = datapath.rule_counters(*datapath.slot_of("test/rule"));
        ASSERT_TRUE(counters);
        EXPECT_EQ(counters->cloned.bytes, 100u);
    }

    std::unique_ptr<NetLab> lab_;
    unsigned ifindex_ = 0;
};

TEST_P(LifecycleTest, foreign_filters_and_qdiscs_stay) {
    NetLab::sh("tc qdisc add dev v0 clsact");
    NetLab::sh("tc filter add dev v0 ingress prio 1 protocol ip u32 match ip dst 192.0.2.1 classid 1:1");
    NetLab::sh("tc filter add dev v0 egress prio 7 protocol ip u32 match u32 0 0 classid 1:1");
    const std::string before = NetLab::output(kFiltersAndQdiscs);
    {
        auto datapath = start();
        ASSERT_TRUE(datapath);
        expect_mirroring(*datapath);
        if (GetParam() == AttachMode::clsact) {
            EXPECT_NE(NetLab::output(kFiltersAndQdiscs), before);
        }
    }
    EXPECT_EQ(NetLab::output(kFiltersAndQdiscs), before);
}

TEST_P(LifecycleTest, foreign_tcx_program_stays_and_hides_nothing_from_tcx) {
    if (!loader::probe_features().tcx) GTEST_SKIP() << "needs tcx";
    const UniqueFd program = foreign_program();
    const UniqueFd link(bpf_link_create(program.get(), static_cast<int>(ifindex_), loader::kTcxEgress, nullptr));
    ASSERT_TRUE(link);
    const auto before = tcx_programs(ifindex_, loader::kTcxEgress);
    ASSERT_EQ(before.size(), 1u);
    {
        auto datapath = start();
        ASSERT_TRUE(datapath);
        expect_mirroring(*datapath);
        if (GetParam() == AttachMode::tcx) {
            const auto during = tcx_programs(ifindex_, loader::kTcxEgress);
            ASSERT_EQ(during.size(), 2u);
            EXPECT_EQ(during[1], before[0]);
            auto counters = datapath->rule_counters(*datapath->slot_of("test/rule"));
            EXPECT_GT(counters->server.packets, 0u);
        }
    }
    EXPECT_EQ(tcx_programs(ifindex_, loader::kTcxEgress), before);
}

struct Holder {
    pid_t pid = -1;
    std::vector<std::uint32_t> programs;
};

// A process that holds a datapath until it is killed.
template <class Start>
Holder hold(Start start) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    UniqueFd reader(ends[0]), writer(ends[1]);
    std::fflush(stdout);
    Holder holder;
    holder.pid = ::fork();
    if (holder.pid == 0) {
        reader.reset();
        auto datapath = start();
        if (!datapath) ::_exit(1);
        for (const auto& point : datapath->attach_points()) {
            const std::uint32_t ids[] = {point.ingress_program, point.egress_program};
            if (::write(writer.get(), ids, sizeof(ids)) != sizeof(ids)) ::_exit(1);
        }
        writer.reset();
        while (true) ::pause();
    }
    writer.reset();
    std::uint32_t id = 0;
    while (::read(reader.get(), &id, sizeof(id)) == sizeof(id)) holder.programs.push_back(id);
    return holder;
}

TEST_P(LifecycleTest, sigkill_leaves_nothing_and_a_restart_works_at_once) {
    NetLab::sh("tc qdisc add dev v1 clsact");
    const std::string before = NetLab::output(kFiltersAndQdiscs);
    const std::string links = NetLab::output("ip -o link");
    for (int round = 0; round < 3; ++round) {
        const Holder holder = hold([this] { return start(); });
        ASSERT_GE(holder.programs.size(), 2u);
        for (const std::uint32_t id : holder.programs) EXPECT_TRUE(program_exists(id));
        ::kill(holder.pid, SIGKILL);
        ::waitpid(holder.pid, nullptr, 0);
        auto next = start();
        ASSERT_TRUE(next);
        expect_mirroring(*next);
        next.reset();
        EXPECT_TRUE(soon([&] {
            return std::none_of(holder.programs.begin(), holder.programs.end(), program_exists) &&
                   NetLab::output(kFiltersAndQdiscs) == before && NetLab::output("ip -o link") == links;
        })) << NetLab::output(kFiltersAndQdiscs)
            << NetLab::output("ip -o link");
        EXPECT_TRUE(tcx_programs(ifindex_, loader::kTcxIngress).empty());
    }
}

TEST_P(LifecycleTest, sigkill_alone_leaves_nothing) {
    const std::string before = NetLab::output(kFiltersAndQdiscs);
    const Holder holder = hold([this] { return start(); });
    ASSERT_GE(holder.programs.size(), 2u);
    ::kill(holder.pid, SIGKILL);
    ::waitpid(holder.pid, nullptr, 0);
    EXPECT_TRUE(soon([&] {
        return std::none_of(holder.programs.begin(), holder.programs.end(), program_exists) &&
               NetLab::output(kFiltersAndQdiscs) == before && NetLab::output("ip -o link show type tun").empty();
    })) << NetLab::output(kFiltersAndQdiscs);
}

TEST_P(LifecycleTest, two_living_agents_do_not_clean_each_other) {
    auto first = start();
    auto second = start();
    ASSERT_TRUE(first && second);
    expect_mirroring(*first);
    second.reset();
    TcpPair pair(*lab_, "client", "host", "10.9.0.1:8080");
    pair.send(100);
    auto counters = first->rule_counters(*first->slot_of("test/rule"));
    ASSERT_TRUE(counters);
    EXPECT_EQ(counters->cloned.bytes, 200u);
}

TEST_P(LifecycleTest, vanished_device_is_forgotten) {
    auto datapath = start();
    ASSERT_TRUE(datapath);
    NetLab::sh("ip link del v1");
    auto report = datapath->refresh();
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->removed, std::vector<std::string>{"v1"});
    expect_mirroring(*datapath);
}

INSTANTIATE_TEST_SUITE_P(Modes, LifecycleTest, testing::Values(AttachMode::tcx, AttachMode::clsact),
                         [](const auto& mode) { return mode.param == AttachMode::tcx ? "tcx" : "clsact"; });

}  // namespace
}  // namespace umbra::test
