// Attach types of tcx, which the headers of libbpf 1.1 and of Linux 6.1 do not have yet.
#pragma once

#include <bpf/bpf.h>

namespace umbra::loader {

inline constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);  // BPF_TCX_INGRESS
inline constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);   // BPF_TCX_EGRESS
inline constexpr unsigned kBefore = 1u << 3;                           // BPF_F_BEFORE: head of the list

}  // namespace umbra::loader
