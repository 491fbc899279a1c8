#include "terminator/flow_maps.h"

#include <bpf/bpf.h>

namespace umbra {

namespace {

bool write(int map_fd, const FlowTuple& flow) {
    const auto key = flow.to_key();
    const __u64 now = monotonic_now();
    return bpf_map_update_elem(map_fd, &key, &now, BPF_ANY) == 0;
}

}  // namespace

void MutedFlows::add(const FlowTuple& flow) { write(map_fd_, flow); }

bool OwnConnectionMap::add(const FlowTuple& connection) { return write(map_fd_, connection); }

void OwnConnectionMap::remove(const FlowTuple& connection) {
    const auto key = connection.to_key();
    bpf_map_delete_elem(map_fd_, &key);
}

}  // namespace umbra
