// Skeleton: the loaded BPF object, its programs and maps. Owns the generated C skeleton; descriptors it hands out live
// as long as it does. It attaches nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "loader/attachment.h"

struct umbra_tc;

namespace umbra::loader {

struct SkeletonOptions {
    std::uint32_t workers = 1;
    std::uint32_t flow_seed = 0;
    std::uint32_t capture = 0;     // ifindex
    std::uint32_t capture_ip = 0;  // ifindex
    std::uint32_t ring_bytes = 0;
    std::uint32_t muted = 0;  // entries of maps
    std::uint32_t own = 0;
    std::uint32_t devices = 0;
    int predecessor_own = -1;  // umbra_own of the agent that is taken over
};

class Skeleton {
public:
    static Result<Skeleton> load(const SkeletonOptions& options);
    Skeleton(Skeleton&& other) noexcept;
    Skeleton& operator=(Skeleton&&) = delete;
    ~Skeleton();

    // The programs for devices whose packets begin with an Ethernet header, or with the IP header.
    HookPrograms hook_programs(bool has_link_header) const;
    int steering_program(bool has_link_header) const;
    int program_fd(const std::string& name) const;  // -1 if there is none
    int map_fd(const std::string& name) const;      // -1 if there is none

    // For maps made by the loader: the object's type information, 0 if unknown.
    int btf_fd() const;
    std::uint32_t btf_type(const std::string& name) const;

private:
    explicit Skeleton(umbra_tc* object) : object_(object) {}

    umbra_tc* object_;
};

}  // namespace umbra::loader
