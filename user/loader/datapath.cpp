#include "loader/datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "loader/libbpf_log.h"
#include "loader/os_error.h"

namespace umbra::loader {

namespace {

Result<std::uint32_t> random_seed() {
    std::uint32_t seed = 0;
    if (::getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) return os_error("draw, flow seed", errno);
    return seed;
}

Result<void> check_options(const DatapathOptions& options) {
    const bool power_of_two = options.ring_bytes >= 4096 && (options.ring_bytes & (options.ring_bytes - 1)) == 0;
    if (!power_of_two) {
        return Error{ErrorCode::usage, "set, ring size " + std::to_string(options.ring_bytes) + ": not possible",
                     "use a power of two from 4096 on"};
    }
    if (options.workers < 1 || options.workers > UMBRA_MAX_WORKERS) {
        return Error{ErrorCode::usage, "set, " + std::to_string(options.workers) + " workers: not possible",
                     "use 1 to " + std::to_string(UMBRA_MAX_WORKERS)};
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Datapath>> Datapath::make(const DatapathOptions& options) {
    route_libbpf_log();
    if (auto checked = check_options(options); !checked) return checked.error();
    auto base = build_base(options);
    if (!base) return base.error();
    std::unique_ptr<Datapath> datapath(new Datapath(options, std::move(*base)));
    if (auto prepared = datapath->prepare_attaching(); !prepared) return prepared.error();
    if (auto made = datapath->make_rings(); !made) return made.error();
    return datapath;
}

Result<Datapath::Base> Datapath::build_base(const DatapathOptions& options) {
    auto netlink = NetlinkSocket::open();
    if (!netlink) return netlink.error();
    auto capture = CaptureDevice::make(*netlink, {CaptureKind::ethernet, options.workers, options.queue_length});
    if (!capture) return capture.error();
    auto capture_ip = CaptureDevice::make(*netlink, {CaptureKind::bare_ip, options.workers, options.queue_length});
    if (!capture_ip) return capture_ip.error();
    auto seed = random_seed();
    if (!seed) return seed.error();
    auto skeleton =
        Skeleton::load({options.workers, *seed, capture->ifindex(), capture_ip->ifindex(), options.ring_bytes,
                        options.muted, options.own, options.devices, options.predecessor_own});
    if (!skeleton) return skeleton.error();
    if (auto steered = capture->steer_by(skeleton->steering_program(true)); !steered) return steered.error();
    if (auto steered = capture_ip->steer_by(skeleton->steering_program(false)); !steered) return steered.error();
    return Base{std::move(*netlink), std::move(*capture), std::move(*capture_ip), std::move(*skeleton), *seed};
}

Datapath::Datapath(const DatapathOptions& options, Base base)
    : options_(options),
      features_(probe_features()),
      netlink_(std::move(base.netlink)),
      capture_(std::move(base.capture)),
      capture_ip_(std::move(base.capture_ip)),
      skeleton_(std::move(base.skeleton)),
      flow_seed_(base.flow_seed),
      maps_(skeleton_),
      held_(options.hold) {}

Datapath::~Datapath() { attachments_.clear(); }

Result<void> Datapath::prepare_attaching() {
    if (auto cleaned = clean_dead_owners(netlink_); !cleaned) return cleaned.error();
    if (options_.mode == AttachMode::tcx && !features_.tcx) {
        return Error{ErrorCode::unsupported, "attach by tcx, kernel " + features_.kernel + ": it has no tcx",
                     "use clsact, or Linux 6.6 or later"};
    }
    if (options_.mode == AttachMode::tcx || (options_.mode == AttachMode::automatic && features_.tcx)) return {};
    auto owner = ClsactOwner::make();
    if (!owner) return owner.error();
    clsact_.emplace(std::move(*owner));
    return {};
}

Result<void> Datapath::make_rings() {
    const int outer = skeleton_.map_fd("umbra_rings");
    for (std::uint32_t worker = 0; worker < options_.workers; ++worker) {
        UniqueFd ring(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "umbra_ring", 0, 0, options_.ring_bytes, nullptr));
        if (!ring) return os_error("create, map 'umbra_ring'", errno);
        const int fd = ring.get();
        if (const int error = bpf_map_update_elem(outer, &worker, &fd, BPF_ANY))
            return os_error("update, map 'umbra_rings'", error);
        rings_.push_back(std::move(ring));
    }
    return {};
}

Result<umbra_rule_counters> Datapath::rule_counters(std::uint32_t slot) const {
    constexpr std::size_t kWords = sizeof(umbra_rule_counters) / sizeof(__u64);
    const int cpus = libbpf_num_possible_cpus();
    if (cpus < 0) return os_error("count, CPUs", cpus);
    std::vector<__u64> values(kWords * static_cast<std::size_t>(cpus));
    if (const int error = bpf_map_lookup_elem(skeleton_.map_fd("umbra_counters"), &slot, values.data()))
        return os_error("read, map 'umbra_counters'", error);
    std::array<__u64, kWords> sum{};
    for (std::size_t i = 0; i < values.size(); ++i) sum[i % kWords] += values[i];
    umbra_rule_counters counters;
    std::memcpy(&counters, sum.data(), sizeof(counters));
    return counters;
}

Result<std::uint64_t> Datapath::queue_drops() const {
    auto netlink = NetlinkSocket::open();
    if (!netlink) return netlink.error();
    const auto framed = capture_.dropped(*netlink);
    if (!framed) return framed;
    const auto bare = capture_ip_.dropped(*netlink);
    if (!bare) return bare;
    return *framed + *bare;
}

std::vector<AttachPoint> Datapath::attach_points() const {
    std::vector<AttachPoint> points;
    for (const auto& [ifindex, attachment] : attachments_) {
        points.push_back({attachment.device().name, ifindex, attachment.is_tcx(), attachment.program_id(0),
                          attachment.program_id(1), targets_.at(ifindex).why});
    }
    return points;
}

}  // namespace umbra::loader
