// What one core pays for reassembly: segments in order and in the orders that an attacker would choose, against memcpy
// of the same payload in the same run, and the memory of many flows. Rounds take turns through all orders; a figure is
// the lower quartile of its rounds. One line per figure, then one JSON object.
#include <fmt/core.h>
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "reassembly/reassembler.h"

namespace {

using namespace umbra;

constexpr int kRounds = 9;
constexpr std::uint32_t kServerIsn = 5000;
constexpr std::uint32_t kGreeting = 16;
constexpr std::size_t kHeadroom = 256 << 10;  // payload is read here and there of it: what a capture buffer would hold

class CountingSink : public StreamSink {
public:
    explicit CountingSink(std::uint64_t& bytes) : bytes_(bytes) {}
    void data(Bytes bytes, TimeNs) override { bytes_ += bytes.size(); }
    void gap(std::uint32_t, TimeNs) override {}
    void server_payload(Bytes, TimeNs) override {}
    void half_close(TimeNs) override {}
    void close(CloseKind, Reason, TimeNs) override {}

private:
    std::uint64_t& bytes_;
};

class CountingObserver : public StreamObserver {
public:
    std::unique_ptr<StreamSink> open(const FlowTuple&, OpenKind, TimeNs) override {
        return std::make_unique<CountingSink>(bytes);
    }
    umbra_ledger_row* row(const FlowTuple&) override { return &ledger; }
    void mute(const FlowTuple&) override {}

    std::uint64_t bytes = 0;
    umbra_ledger_row ledger{};
};

FlowTuple tuple_of(std::uint32_t number) {
    FlowTuple tuple{*Endpoint::parse("10.0.0.1:1"), *Endpoint::parse("10.1.0.1:80")};
    tuple.client.port = static_cast<std::uint16_t>(1024 + number % 60000);
    tuple.client.address = *IpAddress::parse(fmt::format("10.0.{}.{}", number / 60000, 1));
    return tuple;
}

// One packet of a script: `length` bytes from `offset` of the client's stream, or the server's ACK of that offset.
struct Step {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    bool server = false;
};
using Script = std::vector<Step>;

class Client {
public:
    Client(Reassembler& reassembler, std::uint32_t number) : reassembler_(reassembler), isn_(number * 7919) {
        segment_.tuple = header_.tuple = tuple_of(number);
        segment_.ack = kServerIsn + 1;
        segment_.window = header_.window = 65535;
        segment_.time = header_.time = 100 * kSecond;
        header_.options.window_scale = segment_.options.window_scale = 14;
        header_.options.sack_permitted = segment_.options.sack_permitted = true;
    }
    void handshake() {
        segment_.seq = isn_ - kGreeting;
        segment_.flags = kSyn;
        reassembler_.on_segment(segment_);
        header_.seq = kServerIsn;
        header_.ack = isn_ + 1 - kGreeting;
        header_.flags = kSyn | kAck;
        reassembler_.on_server(header_);
        segment_.options = header_.options = {};
        segment_.flags = header_.flags = kAck;
        header_.seq = kServerIsn + 1;
    }
    // A few bytes and their ACK, the first packet whose window is scaled.
    void greet(const std::vector<std::byte>& buffer) {
        segment_.seq = isn_ + 1 - kGreeting;
        segment_.payload = Bytes(buffer).first(kGreeting);
        reassembler_.on_segment(segment_);
        header_.ack = isn_ + 1;
        reassembler_.on_server(header_);
    }
    void play(const Step& step, const std::vector<std::byte>& buffer) {
        if (step.server) {
            header_.ack = isn_ + 1 + step.offset;
            return reassembler_.on_server(header_);
        }
        segment_.seq = isn_ + 1 + step.offset;
        segment_.payload = Bytes(buffer).subspan(step.offset % kHeadroom, step.length);
        reassembler_.on_segment(segment_);
    }
    void reset(std::uint32_t offset) {
        header_.flags = kRst | kAck;
        header_.ack = isn_ + 1 + offset;
        reassembler_.on_server(header_);
    }

private:
    Reassembler& reassembler_;
    const std::uint32_t isn_;
    Segment segment_;
    ServerHeader header_;
};

Script in_order(std::uint32_t total, std::uint32_t size, std::uint32_t segments_per_ack) {
    Script script;
    std::uint32_t count = 0;
    for (std::uint32_t at = 0; at < total; at += size) {
        script.push_back({at, size, false});
        if (++count % segments_per_ack == 0) script.push_back({at + size, 0, true});
    }
    return script;
}

Script reverse_bytes(std::uint32_t count) {
    Script script;
    for (std::uint32_t at = count; at > 0; --at) script.push_back({at, 1, false});
    return script;
}

// Every second byte, so that nothing joins: `count` holes, from random places.
Script holes(std::uint32_t count, bool filled) {
    std::mt19937 random(3);
    Script script;
    for (std::uint32_t i = 1; i <= count; ++i) script.push_back({2 * i, 1, false});
    std::shuffle(script.begin(), script.end(), random);
    if (!filled) return script;
    Script fill;
    for (std::uint32_t i = 0; i <= count; ++i) fill.push_back({2 * i + 1, 1, false});
    std::shuffle(fill.begin(), fill.end(), random);
    script.insert(script.end(), fill.begin(), fill.end());
    script.push_back({0, 1, false});
    script.push_back({2 * count + 2, 0, true});
    return script;
}

Script far_ahead(std::uint32_t count) {
    Script script;
    for (std::uint32_t i = 0; i < count; ++i) script.push_back({(4 << 20) - 17 * (i % 64), 1, false});
    return script;
}

// Segments that each cover the ones before, from one byte to 2,000.
Script growing(std::uint32_t count) {
    Script script;
    for (std::uint32_t i = 0; i < count; ++i) script.push_back({10000 - i % 2000, 1 + i % 2000, false});
    return script;
}

Script shuffled(std::uint32_t total, std::uint32_t size) {
    Script script = in_order(total, size, ~0u);
    std::mt19937 random(5);
    std::shuffle(script.begin(), script.end(), random);
    script.push_back({total, 0, true});
    return script;
}

struct Order {
    std::string name, text;
    Script script;
    std::uint32_t flows;  // of this script, per round
    double goal_ns = 0;   // per segment; 0: none
    double goal_gb = 0;   // GB/s
    bool whole = true;    // all of it is delivered in the end
    std::vector<double> ns{}, ratio{};
    bool delivered_all = false;

    std::size_t segments() const { return static_cast<std::size_t>(std::ranges::count(script, false, &Step::server)); }
    std::size_t bytes() const {
        std::size_t sum = 0;
        for (const Step& step : script) sum += step.length;
        return sum;
    }
};

std::vector<Order> orders() {
    return {
        {"in_order_64k", "in order, 65,160-byte segments", in_order(65160 * 128, 65160, 1), 8, 0, 5},
        {"in_order_1448", "in order, 1,448-byte segments", in_order(1448 * 4096, 1448, 2), 8, 150, 0},
        {"in_order_100", "in order, 100-byte segments", in_order(100 * 16384, 100, 2), 8, 150, 0},
        {"reverse_1", "8,000 one-byte segments in reverse", reverse_bytes(8000), 16, 5000, 0, false},
        {"holes_3000", "3,000 holes", holes(3000, false), 32, 5000, 0, false},
        {"holes_filled", "3,000 holes, filled in random order", holes(3000, true), 16, 5000, 0},
        {"far_ahead", "bytes 4 MiB ahead, again and again", far_ahead(8000), 16, 5000, 0, false},
        {"growing", "segments that each cover the last ones", growing(8000), 8, 5000, 0, false},
        {"shuffled_1448", "4 MiB of 1,448-byte segments in random order", shuffled(1448 * 2896, 1448), 8, 5000, 0},
    };
}

double quartile(std::vector<double> values) {
    std::ranges::sort(values);
    return values.empty() ? 0 : values[values.size() / 4];
}

double thread_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Of this thread, so that others on a busy machine count less.
double seconds_of(const std::function<void()>& work) {
    const double start = thread_seconds();
    work();
    return thread_seconds() - start;
}

class Bench {
public:
    int run() {
        for (std::size_t i = 0; i < buffer_.size(); ++i) buffer_[i] = static_cast<std::byte>(i * 131 >> 3);
        std::vector<Order> all = orders();
        for (int round = 0; round < kRounds; ++round)
            for (Order& order : all) measure(order);
        for (const Order& order : all) report(order);
        report_memory();
        fmt::print("{{{}}}\n", json_);
        for (const Order& order : all)
            if (order.whole && !order.delivered_all)
                fmt::print(stderr, "{}: not everything was delivered\n", order.name);
        return std::ranges::all_of(all, [](const Order& o) { return o.delivered_all || !o.whole; }) ? 0 : 1;
    }

private:
    // Memory of the reassembler is warm after the first flow, as it is in a running agent.
    void measure(Order& order) {
        CountingObserver observer;
        umbra_worker_row worker{};
        Reassembler reassembler({}, Mode::strict, observer, worker);
        play(order, reassembler, 0);
        double spent = 0;
        for (std::uint32_t flow = 1; flow <= order.flows; ++flow) spent += play(order, reassembler, flow);
        const double copied = seconds_of([&] {
            for (std::uint32_t flow = 0; flow < order.flows; ++flow) copy(order);
        });
        order.delivered_all = observer.bytes == (order.flows + 1) * (order.bytes() + kGreeting);
        order.ns.push_back(spent * 1e9 / static_cast<double>(order.flows * order.segments()));
        order.ratio.push_back(spent / copied);
    }
    double play(const Order& order, Reassembler& reassembler, std::uint32_t number) {
        Client client(reassembler, number);
        client.handshake();
        client.greet(buffer_);
        const double spent = seconds_of([&] {
            for (const Step& step : order.script) client.play(step, buffer_);
        });
        client.reset(0);
        return spent;
    }
    void copy(const Order& order) {
        for (const Step& step : order.script) {
            if (step.server) continue;
            std::memcpy(copy_.data() + step.offset % kHeadroom, buffer_.data() + step.offset % kHeadroom, step.length);
            __asm__ volatile("" : : "r"(copy_.data()) : "memory");
        }
    }

    void report(const Order& order) {
        const double ns = quartile(order.ns), ratio = quartile(order.ratio);
        const double gb = static_cast<double>(order.bytes()) / static_cast<double>(order.segments()) / ns;
        std::string goal;
        if (order.goal_ns > 0) goal = fmt::format("goal <= {:.0f} ns", order.goal_ns);
        if (order.goal_gb > 0) goal = fmt::format("goal >= {:.0f} GB/s", order.goal_gb);
        fmt::print("{:<46} {:>9.1f} ns/segment {:>8.3f} GB/s {:>8.1f} x memcpy   {}\n", order.text, ns, gb, ratio,
                   goal);
        json_ += fmt::format("{}\"{}\":{{\"ns\":{:.1f},\"gb_per_s\":{:.3f},\"memcpy_ratio\":{:.2f}}}",
                             json_.empty() ? "" : ",", order.name, ns, gb, ratio);
    }

    void report_memory();

    std::vector<std::byte> buffer_ = std::vector<std::byte>(kHeadroom + 65536);
    std::vector<std::byte> copy_ = std::vector<std::byte>(kHeadroom + 65536);
    std::string json_;
};

std::size_t resident() {
    std::ifstream file("/proc/self/statm");
    std::size_t size = 0, pages = 0;
    file >> size >> pages;
    return pages * 4096;
}

constexpr std::uint32_t kFlows = 100'000;

// Resident bytes that `kFlows` flows add, each after `script`.
std::size_t memory_of(const Script& script, const ReassemblyLimits& limits, const std::vector<std::byte>& buffer) {
    ::malloc_trim(0);
    const std::size_t before = resident();
    CountingObserver observer;
    umbra_worker_row worker{};
    Reassembler reassembler(limits, Mode::strict, observer, worker);
    for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
        Client client(reassembler, flow);
        client.handshake();
        client.greet(buffer);
        for (const Step& step : script) client.play(step, buffer);
    }
    return resident() - before;
}

void Bench::report_memory() {
    ReassemblyLimits limits;
    limits.flows = kFlows;
    const std::size_t idle = memory_of({}, limits, buffer_) / kFlows;
    Script gaps;
    for (std::uint32_t i = 1; i <= 8; ++i) gaps.push_back({2000 * i, 1448, false});
    const std::size_t held = memory_of(gaps, limits, buffer_);
    const double share = static_cast<double>(held) / static_cast<double>(limits.memory);
    fmt::print("{:<46} {:>9} bytes   goal <= 1024\n", "an idle flow", idle);
    fmt::print("{:<46} {:>9.1f} MiB, {:.3f} of the cap of {} MiB   goal <= 1.05\n", "100,000 flows with holes",
               static_cast<double>(held) / 1048576, share, limits.memory >> 20);
    json_ += fmt::format(",\"idle_flow_bytes\":{},\"holes_of_cap\":{:.4f}", idle, share);
}

}  // namespace

int main() { return Bench().run(); }
