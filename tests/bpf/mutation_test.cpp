// A million packets with wrong bytes: whatever they are, the verdict is TC_ACT_UNSPEC, the bytes stay as they were and
// the kernel's ledger closes. Each packet runs through one of the four programs.
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "bpf/prog_runner.h"
#include "bpf/world.h"

namespace umbra::test {
namespace {

constexpr std::size_t kPackets = 1'000'000;
constexpr auto kTimeLimit = std::chrono::seconds(20);  // an instrumented kernel may not come to the end

std::vector<Frame> seeds() {
    std::vector<Frame> frames;
    for (const bool v6 : {false, true}) {
        for (const bool reply : {false, true}) {
            PacketSpec spec;
            spec.source = v6 ? "[fd01::1]:40000" : "10.0.0.1:40000";
            spec.target = v6 ? "[fd00::10]:80" : "10.0.0.10:80";
            if (reply) std::swap(spec.source, spec.target);
            spec.payload = "GET / HTTP/1.1\r\n\r\n";
            frames.push_back(build(spec));
            spec.tcp_options.assign(12, 1);
            spec.tags = {{0x88a8, 1}, {}};
            frames.push_back(build(spec));
            spec.tags.clear();
            spec.ip_options.assign(v6 ? 0 : 8, 1);
            if (v6) spec.extensions = {Extension::options(0), Extension::fragment(0), Extension::options(60, 1)};
            frames.push_back(build(spec));
            spec.link_header = false;
            frames.push_back(build(spec));
        }
    }
    return frames;
}

class Mutator {
public:
    Frame next() {
        Frame frame = seeds_[draw(seeds_.size())];
        for (std::size_t changes = 1 + draw(4); changes > 0; --changes) change(frame);
        return frame;
    }
    std::size_t draw(std::size_t below) { return random_() % below; }

private:
    // Headers are where the parser looks: most changes go there, many of them to interesting values.
    void change(Frame& frame) {
        static constexpr std::uint8_t kValues[] = {0, 1, 6, 43, 44, 51, 60, 0x45, 0x46, 0x60, 0x81, 0x88, 0x7f, 0xff};
        if (draw(10) == 0) {
            frame.resize(std::max<std::size_t>(14, draw(frame.size() + 1)));
            return;
        }
        std::uint8_t& byte = frame[draw(std::min<std::size_t>(frame.size(), 80))];
        switch (draw(3)) {
            case 0:
                byte = kValues[draw(std::size(kValues))];
                break;
            case 1:
                byte ^= static_cast<std::uint8_t>(1u << draw(8));
                break;
            default:
                byte = static_cast<std::uint8_t>(draw(256));
        }
    }

    std::vector<Frame> seeds_ = seeds();
    std::mt19937 random_{20240615};
};

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

TEST(MutatedPackets, are_never_touched) {
    std::string reason;
    auto runner = ProgRunner::make(reason);
    if (!runner) GTEST_SKIP() << reason;
    runner->write(world());
    runner->set_device(kLoopback, 0);
    const RunContext contexts[] = {
        {"umbra_ingress"}, {"umbra_egress"}, {"umbra_in_ip"}, {"umbra_out_ip"}, {"umbra_ingress", 100}};
    Mutator mutator;
    std::size_t run = 0, refused = 0;
    const auto start = std::chrono::steady_clock::now();
    for (; run < kPackets && !testing::Test::HasFailure(); ++run) {
        if (run % 4096 == 0) {
            runner->clones();
            runner->clones(true);
            runner->records();
            if (std::chrono::steady_clock::now() - start > kTimeLimit) break;
        }
        refused += !runner->run(mutator.next(), contexts[mutator.draw(std::size(contexts))]);
    }
    auto counters = runner->datapath().rule_counters(0);
    ASSERT_TRUE(counters);
    EXPECT_TRUE(ledger_closes(*counters));
    EXPECT_GT(counters->cloned.packets, run / 100);
    EXPECT_GT(counters->server.packets, run / 100);
    RecordProperty("packets", static_cast<int>(run));
    std::printf("mutated packets: %zu run, %zu of them refused by the kernel beforehand\n", run, refused);
}

}  // namespace
}  // namespace umbra::test
