#include "loader/skeleton.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "loader/os_error.h"
#include "loader/own_map.h"

// The generated skeleton uses the types of the object's read-only data without declaring them.
// clang-format off
#include "umbra/abi/rule.h"
#include "umbra_tc.skel.h"
// clang-format on

namespace umbra::loader {

namespace {

HookProgram describe(const bpf_program* program) {
    HookProgram description;
    description.fd = bpf_program__fd(program);
    description.name = bpf_program__name(program);
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(description.fd, &info, &size) == 0) description.id = info.id;
    return description;
}

}  // namespace

Result<Skeleton> Skeleton::load(const SkeletonOptions& options) {
    umbra_tc* object = umbra_tc__open();
    if (!object) return os_error("open, BPF object", errno);
    Skeleton skeleton(object);
    object->rodata->umbra_worker_count = options.workers;
    object->rodata->umbra_flow_seed = options.flow_seed;
    object->rodata->umbra_capture = options.capture;
    object->rodata->umbra_capture_ip = options.capture_ip;
    object->rodata->umbra_wakeup_bytes = options.ring_bytes / 4;
    object->rodata->umbra_wakeup_step = options.ring_bytes / 32;
    bpf_map__set_max_entries(object->maps.umbra_muted, options.muted);
    bpf_map__set_max_entries(object->maps.umbra_own, options.own);
    bpf_map__set_max_entries(object->maps.umbra_devices, options.devices);
    bpf_map__set_max_entries(object->maps.umbra_rings, options.workers);
    bpf_map__set_max_entries(object->maps.umbra_workers, options.workers);
    bpf_map__set_max_entries(object->maps.umbra_ledger, options.workers * UMBRA_MAX_RULES);
    bool shared = false;
    if (options.predecessor_own >= 0) {
        auto done = share_map(object->maps.umbra_own, options.predecessor_own);
        if (!done) return done.error();
        shared = *done;
    }
    if (const int error = umbra_tc__load(object)) return os_error("load, BPF programs", error);
    if (options.predecessor_own >= 0 && !shared)
        copy_entries(options.predecessor_own, bpf_map__fd(object->maps.umbra_own));
    return skeleton;
}

Skeleton::Skeleton(Skeleton&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}

Skeleton::~Skeleton() { umbra_tc__destroy(object_); }

HookPrograms Skeleton::hook_programs(bool has_link_header) const {
    const auto& programs = object_->progs;
    if (has_link_header) return {describe(programs.umbra_ingress), describe(programs.umbra_egress)};
    return {describe(programs.umbra_in_ip), describe(programs.umbra_out_ip)};
}

int Skeleton::steering_program(bool has_link_header) const {
    return bpf_program__fd(has_link_header ? object_->progs.umbra_steer : object_->progs.umbra_steer_ip);
}

int Skeleton::program_fd(const std::string& name) const {
    const bpf_program* program = bpf_object__find_program_by_name(object_->obj, name.c_str());
    return program ? bpf_program__fd(program) : -1;
}

int Skeleton::map_fd(const std::string& name) const {
    return std::max(bpf_object__find_map_fd_by_name(object_->obj, name.c_str()), -1);
}

int Skeleton::btf_fd() const { return std::max(bpf_object__btf_fd(object_->obj), 0); }

std::uint32_t Skeleton::btf_type(const std::string& name) const {
    const btf* types = bpf_object__btf(object_->obj);
    const int id = types ? btf__find_by_name(types, name.c_str()) : 0;
    return id > 0 ? static_cast<std::uint32_t>(id) : 0;
}

}  // namespace umbra::loader
