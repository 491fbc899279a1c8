// Millions of packets with wrong bytes, on all cores: whatever they are, the verdict is TC_ACT_UNSPEC, the bytes stay
// as they were and the kernel's ledger closes. Each packet runs through one of the four programs. UMBRA_BATTERY=long:
// more.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "bpf/mutator.h"
#include "bpf/prog_runner.h"
#include "bpf/world.h"

namespace umbra::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Size {
    std::size_t packets = 5'000'000;
    std::chrono::seconds limit{40};  // an instrumented kernel may not come to the end
};

Size wanted_size() {
    const char* battery = std::getenv("UMBRA_BATTERY");
    if (battery && std::string_view(battery) == "long") return {100'000'000, std::chrono::hours(1)};
    return {};
}

bool ledger_closes(const umbra_rule_counters& counters) {
    std::uint64_t packets = counters.cloned.packets, bytes = counters.cloned.bytes;
    const auto* dropped = reinterpret_cast<const umbra_count*>(&counters.dropped);
    for (unsigned reason = 0; reason < UMBRA_KERNEL_REASON_COUNT; ++reason) {
        if (reason == UMBRA_KERNEL_ring_full) continue;
        packets += dropped[reason].packets;
        bytes += dropped[reason].bytes;
    }
    return counters.seen.packets == packets && counters.seen.bytes == bytes;
}

struct Counts {
    std::atomic<std::size_t> run{0}, refused{0};
};

// One core's share. The first one also empties the queues and rings, so that cloning goes on.
void run_share(ProgRunner& runner, unsigned share, std::size_t packets, Clock::time_point deadline, Counts& counts) {
    static const RunContext kContexts[] = {
        {"umbra_ingress"}, {"umbra_egress"}, {"umbra_in_ip"}, {"umbra_out_ip"}, {"umbra_ingress", 100}};
    const std::vector<FlowEnds> flows = {{"10.0.0.1:40000", "10.0.0.10:80"}, {"[fd01::1]:40000", "[fd00::10]:80"}};
    Mutator mutator(Mutator::seeds(flows, true), 20240615 + share);
    std::size_t run = 0, refused = 0;
    for (; run < packets && !testing::Test::HasFailure(); ++run) {
        if (run % 4096 == 0) {
            if (Clock::now() > deadline) break;
            if (share == 0) {
                runner.clones();
                runner.clones(true);
                runner.records();
            }
        }
        refused += !runner.run(mutator.next(), kContexts[mutator.draw(std::size(kContexts))]);
    }
    counts.run += run;
    counts.refused += refused;
}

TEST(MutatedPackets, are_never_touched) {
    std::string reason;
    auto runner = ProgRunner::make(reason);
    if (!runner) GTEST_SKIP() << reason;
    runner->write(world());
    runner->set_device(kLoopback, 0);
    const Size size = wanted_size();
    const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    const auto start = Clock::now();
    Counts counts;
    std::vector<std::thread> threads;
    for (unsigned share = 0; share < cores; ++share)
        threads.emplace_back(run_share, std::ref(*runner), share, size.packets / cores, start + size.limit,
                             std::ref(counts));
    for (std::thread& thread : threads) thread.join();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    auto counters = runner->datapath().rule_counters(0);
    ASSERT_TRUE(counters);
    EXPECT_TRUE(ledger_closes(*counters));
    EXPECT_GT(counters->cloned.packets, counts.run / 100);
    EXPECT_GT(counters->server.packets, counts.run / 100);
    RecordProperty("packets", static_cast<int>(counts.run));
    std::printf("mutated packets: %zu run in %.1f s on %u cores, %zu of them refused by the kernel beforehand\n",
                counts.run.load(), seconds, cores, counts.refused.load());
}

}  // namespace
}  // namespace umbra::test
