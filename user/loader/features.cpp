#include "loader/features.h"

#include <bpf/bpf.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "loader/tcx.h"

namespace umbra::loader {

namespace {

// Kernels without tcx refuse the attach type before they look at the device.
bool has_tcx() {
    constexpr int kLoopback = 1;
    LIBBPF_OPTS(bpf_prog_query_opts, query);
    return bpf_prog_query_opts(kLoopback, kTcxIngress, &query) == 0;
}

}  // namespace

Features probe_features() {
    Features features;
    utsname name{};
    if (::uname(&name) == 0) features.kernel = name.release;
    features.tcx = has_tcx();
    features.btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
    return features;
}

}  // namespace umbra::loader
