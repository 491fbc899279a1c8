// The BPF object as libbpf opens it, for tests that look at it without the loader. The caller closes it.
#pragma once

// The generated skeleton uses the types of the object's read-only data without declaring them.
// clang-format off
#include "umbra/abi/rule.h"
#include "umbra_tc.skel.h"
// clang-format on

namespace umbra::test {

inline bpf_object* open_object() {
    std::size_t size = 0;
    const void* bytes = umbra_tc__elf_bytes(&size);
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "umbra_tc");
    return bpf_object__open_mem(bytes, size, &options);
}

}  // namespace umbra::test
