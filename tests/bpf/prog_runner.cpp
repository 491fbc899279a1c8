#include "bpf/prog_runner.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace umbra::test {

namespace {

constexpr int kUnspec = -1;
constexpr unsigned kSlots = 8;  // those that tests use

const char* const kCounterNames[] = {"seen", "cloned", "server", "bare_acks",
#define UMBRA_COUNTER_NAME(name, text) #name,
                                     UMBRA_KERNEL_REASONS(UMBRA_COUNTER_NAME)
#undef UMBRA_COUNTER_NAME
};

int collect(void* into, void* data, std::size_t size) {
    umbra_server_record record{};
    EXPECT_EQ(size, sizeof(record));
    std::memcpy(&record, data, std::min(size, sizeof(record)));
    static_cast<std::vector<umbra_server_record>*>(into)->push_back(record);
    return 0;
}

}  // namespace

bool enter_new_namespace() {
    if (::geteuid() != 0 || ::unshare(CLONE_NEWNET) != 0) return false;
    UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    return ::ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0;
}

std::vector<umbra_server_record> read_ring(int ring_fd) {
    std::vector<umbra_server_record> records;
    ring_buffer* ring = ring_buffer__new(ring_fd, collect, &records, nullptr);
    if (!ring) return records;
    ring_buffer__consume(ring);
    ring_buffer__free(ring);
    return records;
}

std::vector<Frame> read_queue(int queue_fd) {
    std::vector<Frame> frames;
    Frame buffer(600 * 1024);
    while (true) {
        const ssize_t got = ::read(queue_fd, buffer.data(), buffer.size());
        if (got < 0) return frames;
        frames.emplace_back(buffer.begin(), buffer.begin() + got);
    }
}

std::unique_ptr<ProgRunner> ProgRunner::make(std::string& reason, const loader::DatapathOptions& options) {
    if (!enter_new_namespace()) {
        reason = "needs root and network namespaces";
        return nullptr;
    }
    auto datapath = loader::Datapath::make(options);
    if (!datapath) {
        reason = datapath.error().message;
        if (datapath.error().code == ErrorCode::failure) ADD_FAILURE() << reason;
        return nullptr;
    }
    return std::unique_ptr<ProgRunner>(new ProgRunner(std::move(*datapath)));
}

ProgRunner::ProgRunner(std::unique_ptr<loader::Datapath> datapath)
    : datapath_(std::move(datapath)), maps_(datapath_->skeleton()), before_(kSlots) {}

void ProgRunner::write(const loader::GenerationContent& content) {
    auto written = maps_.write(content);
    ASSERT_TRUE(written) << written.error().message;
}

void ProgRunner::set_device(std::uint32_t ifindex, std::uint32_t bridge) {
    const umbra_device device{bridge};
    ASSERT_EQ(bpf_map_update_elem(datapath_->skeleton().map_fd("umbra_devices"), &ifindex, &device, BPF_ANY), 0);
}

bool ProgRunner::run(const Frame& frame, const RunContext& context) {
    __sk_buff skb{};
    skb.gso_size = context.gso_size;
    Frame out(frame.size() + 256);
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = out.data(),
                .data_size_in = static_cast<__u32>(frame.size()), .data_size_out = static_cast<__u32>(out.size()),
                .ctx_in = &skb, .ctx_size_in = sizeof(skb));
    if (bpf_prog_test_run_opts(datapath_->skeleton().program_fd(context.program), &options) != 0) {
        EXPECT_EQ(errno, EINVAL);
        return false;
    }
    EXPECT_EQ(static_cast<int>(options.retval), kUnspec);
    out.resize(options.data_size_out);
    EXPECT_TRUE(out == frame) << "the packet was changed";
    return true;
}

std::string ProgRunner::counted() {
    std::string text;
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        auto counters = datapath_->rule_counters(slot);
        if (!counters) return counters.error().message;
        const auto* now = reinterpret_cast<const umbra_count*>(&*counters);
        const auto* then = reinterpret_cast<const umbra_count*>(&before_[slot]);
        for (std::size_t i = 0; i < std::size(kCounterNames); ++i) {
            if (now[i].packets == then[i].packets && now[i].bytes == then[i].bytes) continue;
            text += (text.empty() ? "" : " ") + std::to_string(slot) + ":" + kCounterNames[i] + "=" +
                    std::to_string(now[i].packets - then[i].packets) + "/" +
                    std::to_string(now[i].bytes - then[i].bytes);
        }
        before_[slot] = *counters;
    }
    return text;
}

std::vector<Frame> ProgRunner::clones(bool bare) {
    std::vector<Frame> all;
    for (unsigned worker = 0; worker < datapath_->workers(); ++worker) {
        const int fd = bare ? datapath_->bare_queue_fd(worker) : datapath_->queue_fd(worker);
        for (Frame& frame : read_queue(fd)) {
            frame.erase(frame.begin(), frame.begin() + sizeof(VirtioHeader));
            all.push_back(std::move(frame));
        }
    }
    return all;
}

std::vector<umbra_server_record> ProgRunner::records() {
    std::vector<umbra_server_record> all;
    for (unsigned worker = 0; worker < datapath_->workers(); ++worker) {
        for (const umbra_server_record& record : read_ring(datapath_->ring_fd(worker))) all.push_back(record);
    }
    return all;
}

}  // namespace umbra::test
