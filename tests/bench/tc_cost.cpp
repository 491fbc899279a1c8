// What a packet pays on the way out of a veth, in nanoseconds: no program, an empty tcx program, Umbra's for each thing
// it does, and `tc … mirred egress mirror`, which clones to a device of the same kind. Settings take turns in every
// round, in a network namespace of our own; the capture queue is emptied between batches, outside the clock.
// One line per setting, then one JSON object. Exit 77: root or a feature is missing.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "loader/datapath.h"
#include "loader/tcx.h"

namespace {

using namespace umbra;
using namespace umbra::loader;
using Packet = std::vector<std::uint8_t>;

constexpr int kSkip = 77;
constexpr int kRounds = 7;
constexpr int kBatches = 200;
constexpr int kWarmUp = 20;
constexpr __u32 kRepeat = 1'000'000;
constexpr __u32 kRecords = 20'000;  // as many as fit the ring
constexpr std::size_t kBatch = 256;
constexpr std::uint32_t kQueue = 4096;
constexpr std::size_t kPayload = 100;

struct Ends {
    std::array<std::uint8_t, 4> source, target;
    std::uint16_t source_port, target_port;
};
constexpr Ends kToServer{{10, 9, 0, 1}, {10, 9, 0, 2}, 40000, 80};
constexpr Ends kToOther{{10, 9, 0, 1}, {10, 9, 0, 2}, 40000, 81};

Packet tcp_packet(const Ends& ends, std::size_t payload) {
    Packet packet{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x08, 0x00};
    const auto put16 = [&](std::size_t value) {
        packet.push_back(static_cast<std::uint8_t>(value >> 8));
        packet.push_back(static_cast<std::uint8_t>(value));
    };
    packet.insert(packet.end(), {0x45, 0});
    put16(40 + payload);
    packet.insert(packet.end(), {0, 0, 0, 0, 64, 6, 0, 0});
    packet.insert(packet.end(), ends.source.begin(), ends.source.end());
    packet.insert(packet.end(), ends.target.begin(), ends.target.end());
    put16(ends.source_port);
    put16(ends.target_port);
    packet.insert(packet.end(), {0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 2, 0, 0, 0, 0, 0});
    packet.resize(packet.size() + payload);
    return packet;
}

int sh(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()); }

bool build_network() {
    return ::geteuid() == 0 && ::unshare(CLONE_NEWNET) == 0 &&
           sh("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && "
              "ip addr add 10.9.0.1/24 dev v0") == 0;
}

// Anything that may stand at v0's egress. drain() empties what it filled, outside the clock.
class Setting {
public:
    virtual ~Setting() = default;
    virtual void drain() {}
};

class EmptyProgram : public Setting {
public:
    EmptyProgram() {
        const bpf_insn code[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, -1}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
        program_.reset(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "empty", "GPL", code, std::size(code), nullptr));
        link_.reset(bpf_link_create(program_.get(), static_cast<int>(::if_nametoindex("v0")), kTcxEgress, nullptr));
    }
    bool ok() const { return static_cast<bool>(link_); }
    int program() const { return program_.get(); }

private:
    UniqueFd program_, link_;
};

void drain_queue(int fd) {
    static std::array<char, 65536 + 64> buffer;
    while (::read(fd, buffer.data(), buffer.size()) > 0) {
    }
}

class Umbra : public Setting {
public:
    explicit Umbra(AttachMode mode) {
        DatapathOptions options;
        options.queue_length = kQueue;
        options.ring_bytes = 4 * 1024 * 1024;
        options.mode = mode;
        auto datapath = Datapath::make(options);
        if (!datapath) return;
        datapath_ = std::move(*datapath);
        rules::Plan plan;
        plan.rules.resize(1);
        plan.rules[0].key = "bench/rule";
        plan.rules[0].mirrors.resize(1);
        plan.origins.resize(1);
        plan.origins[0].endpoint = *Endpoint::parse("10.9.0.2:80");
        plan.origins[0].candidates = {0};
        if (!datapath_->apply(plan)) datapath_.reset();
    }
    bool ok() const { return datapath_ != nullptr; }
    void drain() override { drain_queue(datapath_->queue_fd(0)); }
    int program(const char* name) const { return datapath_->skeleton().program_fd(name); }
    void drain_ring() {
        ring_buffer* ring = ring_buffer__new(
            datapath_->ring_fd(0), [](void*, void*, std::size_t) { return 0; }, nullptr, nullptr);
        if (!ring) return;
        ring_buffer__consume(ring);
        ring_buffer__free(ring);
    }

private:
    std::unique_ptr<Datapath> datapath_;
};

class Mirred : public Setting {
public:
    Mirred() {
        auto netlink = NetlinkSocket::open();
        if (!netlink) return;
        auto device = CaptureDevice::make(*netlink, {CaptureKind::ethernet, 1, kQueue});
        if (!device) return;
        device_ = std::make_unique<CaptureDevice>(std::move(*device));
        ok_ = sh("tc qdisc add dev v0 clsact && tc filter add dev v0 egress protocol ip u32 match ip dst 10.9.0.2 "
                 "match ip dport 80 0xffff action mirred egress mirror dev " +
                 device_->name()) == 0;
    }
    ~Mirred() override { sh("tc qdisc del dev v0 clsact"); }
    bool ok() const { return ok_; }
    void drain() override { drain_queue(device_->queue_fd(0)); }

private:
    std::unique_ptr<CaptureDevice> device_;
    bool ok_ = false;
};

class Sender {
public:
    Sender() : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
        address_.sll_family = AF_PACKET;
        address_.sll_ifindex = static_cast<int>(::if_nametoindex("v0"));
    }
    // Adds nanoseconds per packet, one figure per batch.
    void run(Packet& packet, Setting& setting, std::vector<double>& ns) {
        iovec piece{packet.data(), packet.size()};
        std::vector<mmsghdr> messages(kBatch);
        for (mmsghdr& message : messages) {
            message.msg_hdr = {};
            message.msg_hdr.msg_name = &address_;
            message.msg_hdr.msg_namelen = sizeof(address_);
            message.msg_hdr.msg_iov = &piece;
            message.msg_hdr.msg_iovlen = 1;
        }
        for (int batch = -kWarmUp; batch < kBatches; ++batch) {
            const auto start = std::chrono::steady_clock::now();
            if (::sendmmsg(fd_.get(), messages.data(), kBatch, 0) != static_cast<int>(kBatch)) return;
            const std::chrono::nanoseconds spent = std::chrono::steady_clock::now() - start;
            setting.drain();
            if (batch >= 0) ns.push_back(static_cast<double>(spent.count()) / static_cast<double>(kBatch));
        }
    }

private:
    UniqueFd fd_;
    sockaddr_ll address_{};
};

struct Row {
    const char* name;
    const char* text;
    std::vector<double> ns;
    double quartile() {
        if (ns.empty()) return -1;
        std::ranges::sort(ns);
        return ns[ns.size() / 4];
    }
};

class Bench {
public:
    int run() {
        for (int round = 0; round < kRounds; ++round) {
            plain(rows_[0], to_server_);
            timed<EmptyProgram>(rows_[1], to_server_);
            timed<Umbra>(rows_[2], to_other_, AttachMode::tcx);
            timed<Umbra>(rows_[3], bare_ack_, AttachMode::tcx);
            timed<Umbra>(rows_[4], to_server_, AttachMode::tcx);
            timed<Umbra>(rows_[5], to_other_, AttachMode::clsact);
            timed<Umbra>(rows_[6], to_server_, AttachMode::clsact);
            timed<Mirred>(rows_[7], to_other_);
            timed<Mirred>(rows_[8], to_server_);
        }
        return report();
    }

private:
    void plain(Row& row, Packet& packet) {
        Setting nothing;
        sender_.run(packet, nothing, row.ns);
    }
    template <class T, class... Arguments>
    void timed(Row& row, Packet& packet, Arguments... arguments) {
        T setting(arguments...);
        if (setting.ok()) sender_.run(packet, setting, row.ns);
    }
    // Without the path around them: what BPF_PROG_TEST_RUN says of many runs.
    std::string programs_alone() {
        std::string json;
        EmptyProgram empty;
        Umbra umbra(AttachMode::automatic);
        if (!umbra.ok()) return json;
        Packet udp = to_server_, reply = tcp_packet({{10, 9, 0, 2}, {10, 9, 0, 1}, 80, 40000}, kPayload);
        udp[14 + 9] = 17;
        const auto row = [&](const char* name, const char* text, int program, Packet& packet, __u32 repeat) {
            __sk_buff context{};
            context.ifindex = ::if_nametoindex("v0");
            double ns = 1e9;
            for (int round = 0; round < kRounds; ++round) {
                LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet.data(),
                            .data_size_in = static_cast<__u32>(packet.size()), .ctx_in = &context,
                            .ctx_size_in = sizeof(context), .repeat = static_cast<int>(repeat));
                if (bpf_prog_test_run_opts(program, &run) == 0) ns = std::min<double>(ns, run.duration);
                umbra.drain_ring();
            }
            fmt::print("{:<52} {:7.0f} ns\n", text, ns);
            json += fmt::format("\"{}_ns\": {:.1f}, ", name, ns);
        };
        row("program_empty", "program alone: empty", empty.program(), to_server_, kRepeat);
        row("program_udp", "program alone: umbra, not TCP", umbra.program("umbra_ingress"), udp, kRepeat);
        row("program_miss", "program alone: umbra, other port", umbra.program("umbra_ingress"), to_other_, kRepeat);
        row("program_bare_ack", "program alone: umbra, matched, counted only", umbra.program("umbra_egress"), bare_ack_,
            kRepeat);
        row("program_record", "program alone: umbra, server header to the ring", umbra.program("umbra_ingress"), reply,
            kRecords);
        return json;
    }
    int report() {
        const double base = rows_[0].quartile();
        std::string json = "{";
        for (Row& row : rows_) {
            const double ns = row.quartile();
            if (ns < 0) {
                fmt::print("{:<52} not possible on this kernel\n", row.text);
                continue;
            }
            fmt::print("{:<52} {:7.0f} ns   {:+6.0f} ns\n", row.text, ns, ns - base);
            json += fmt::format("\"{}_added_ns\": {:.1f}, ", row.name, ns - base);
        }
        json += programs_alone();
        fmt::print("{}\"packet_ns\": {:.1f}, \"payload\": {}, \"rounds\": {}, \"packets\": {}}}\n", json, base,
                   kPayload, kRounds, kBatches * kBatch);
        return EXIT_SUCCESS;
    }

    Sender sender_;
    Packet to_server_ = tcp_packet(kToServer, kPayload);
    Packet to_other_ = tcp_packet(kToOther, kPayload);
    Packet bare_ack_ = [] {
        Packet packet = tcp_packet(kToServer, 0);
        packet[14 + 20 + 13] = 0x10;
        return packet;
    }();
    std::array<Row, 9> rows_{{{"none", "no program", {}},
                              {"empty", "empty tcx program", {}},
                              {"miss", "umbra, tcx: other port", {}},
                              {"bare_ack", "umbra, tcx: matched, counted only", {}},
                              {"clone", "umbra, tcx: cloned", {}},
                              {"miss_clsact", "umbra, clsact: other port", {}},
                              {"clone_clsact", "umbra, clsact: cloned", {}},
                              {"mirred_miss", "tc u32 + mirred: other port", {}},
                              {"mirred", "tc u32 + mirred egress mirror: cloned", {}}}};
};

}  // namespace

int main() {
    spdlog::set_level(spdlog::level::err);
    if (!build_network()) {
        fmt::print(stderr, "tc_cost: needs root, network namespaces and veth\n");
        return kSkip;
    }
    return Bench().run();
}
