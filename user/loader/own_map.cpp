#include "loader/own_map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "loader/os_error.h"

#include "umbra/abi/rule.h"

namespace umbra::loader {

Result<bool> share_map(bpf_map* map, int predecessor) {
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    if (const int error = bpf_obj_get_info_by_fd(predecessor, &info, &size))
        return os_error("read, the predecessor's map", error);
    const bool same = info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
                      info.value_size == bpf_map__value_size(map) && info.max_entries == bpf_map__max_entries(map) &&
                      info.map_flags == bpf_map__map_flags(map) && std::strcmp(info.name, bpf_map__name(map)) == 0;
    if (!same) return false;
    if (const int error = bpf_map__reuse_fd(map, predecessor)) return os_error("share, map 'umbra_own'", error);
    return true;
}

void copy_entries(int from, int to) {
    bpf_map_info source{}, target{};
    std::uint32_t size = sizeof(source);
    if (bpf_obj_get_info_by_fd(from, &source, &size) != 0) return;
    size = sizeof(target);
    if (bpf_obj_get_info_by_fd(to, &target, &size) != 0) return;
    if (source.key_size != target.key_size || source.value_size != target.value_size) return;
    std::vector<std::byte> key(source.key_size), next(source.key_size), value(source.value_size);
    const void* previous = nullptr;
    for (unsigned i = 0; i < source.max_entries && bpf_map_get_next_key(from, previous, next.data()) == 0; ++i) {
        if (bpf_map_lookup_elem(from, next.data(), value.data()) == 0)
            bpf_map_update_elem(to, next.data(), value.data(), BPF_NOEXIST);
        key = next;
        previous = key.data();
    }
}

}  // namespace umbra::loader
