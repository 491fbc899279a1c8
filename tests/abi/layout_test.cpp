// The same layout for C++, C11 and the BPF object: sizes, every offset, map names.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "bpf/umbra_object.h"

#include "umbra/abi/counters.h"
#include "umbra/abi/hash.h"
#include "umbra/abi/record.h"
#include "umbra/abi/rule.h"
#include "umbra/abi/tuple.h"

namespace umbra::test {
namespace {

struct Layout {
    std::string structure, field;
    std::size_t size, offset;
};

#define FIELD(structure, field) \
    { #structure, #field, sizeof(structure), offsetof(structure, field) }
const std::vector<Layout>& layouts() {
    static const std::vector<Layout> kLayouts = {
        FIELD(umbra_endpoint, addr),
        FIELD(umbra_endpoint, port),
        FIELD(umbra_endpoint, pad),
        FIELD(umbra_tuple, client_addr),
        FIELD(umbra_tuple, server_addr),
        FIELD(umbra_tuple, client_port),
        FIELD(umbra_tuple, server_port),
        FIELD(umbra_match, owner),
        FIELD(umbra_match, side),
        FIELD(umbra_match, pad),
        FIELD(umbra_match, count),
        FIELD(umbra_match, candidates),
        FIELD(umbra_rule, flags),
        FIELD(umbra_rule, threshold),
        FIELD(umbra_rule, seed),
        FIELD(umbra_rule, pad),
        FIELD(umbra_source, prefix_len),
        FIELD(umbra_source, slot),
        FIELD(umbra_source, addr),
        FIELD(umbra_device, bridge),
        FIELD(umbra_server_record, time_ns),
        FIELD(umbra_server_record, version),
        FIELD(umbra_server_record, type),
        FIELD(umbra_server_record, tcp_flags),
        FIELD(umbra_server_record, options_len),
        FIELD(umbra_server_record, payload_len),
        FIELD(umbra_server_record, tuple),
        FIELD(umbra_server_record, seq),
        FIELD(umbra_server_record, ack),
        FIELD(umbra_server_record, window),
        FIELD(umbra_server_record, prefix_len),
        FIELD(umbra_server_record, options),
        FIELD(umbra_server_record, prefix),
        FIELD(umbra_count, packets),
        FIELD(umbra_count, bytes),
        FIELD(umbra_rule_counters, seen),
        FIELD(umbra_rule_counters, cloned),
        FIELD(umbra_rule_counters, server),
        FIELD(umbra_rule_counters, bare_acks),
        FIELD(umbra_rule_counters, dropped),
        FIELD(umbra_units, flows),
        FIELD(umbra_units, requests),
        FIELD(umbra_units, bytes),
        FIELD(umbra_ledger_row, seen),
        FIELD(umbra_ledger_row, mirrored),
        FIELD(umbra_ledger_row, in_flight),
        FIELD(umbra_ledger_row, dropped),
        FIELD(umbra_worker_row, captured_packets),
        FIELD(umbra_worker_row, captured_bytes),
        FIELD(umbra_worker_row, foreign_packets),
        FIELD(umbra_worker_row, server_records),
        FIELD(umbra_worker_row, bad_records),
        FIELD(umbra_worker_row, partial_checksums),
        FIELD(umbra_worker_row, flows_opened),
        FIELD(umbra_worker_row, flows_joined),
        FIELD(umbra_worker_row, one_sided_flows),
        FIELD(umbra_worker_row, responses),
        FIELD(umbra_worker_row, response_bytes),
        FIELD(umbra_worker_row, connections_opened),
        FIELD(umbra_worker_row, gaps),
        FIELD(umbra_worker_row, broken_flows),
        FIELD(umbra_worker_row, injected_losses),
        FIELD(umbra_worker_row, flows),
        FIELD(umbra_worker_row, one_sided),
        FIELD(umbra_worker_row, embryos),
        FIELD(umbra_worker_row, connections),
        FIELD(umbra_worker_row, reassembly_bytes),
        FIELD(umbra_worker_row, queued_bytes),
        FIELD(umbra_worker_row, generation),
    };
    return kLayouts;
}

class Object {
public:
    Object() : object_(open_object()) {}
    ~Object() { bpf_object__close(object_); }
    bpf_object* get() const { return object_; }
    const btf* types() const { return bpf_object__btf(object_); }

private:
    bpf_object* object_;
};

std::size_t fields_of(const std::string& structure) {
    return static_cast<std::size_t>(std::ranges::count(layouts(), structure, &Layout::structure));
}

// Writes the layouts as static assertions of a C file.
std::string write_assertions(const std::string& path) {
    std::string code = "#include <stddef.h>\n";
    for (const char* header : {"counters", "hash", "limits", "reason", "record", "rule", "tuple", "version"})
        code += "#include \"umbra/abi/" + std::string(header) + ".h\"\n";
    for (const Layout& layout : layouts()) {
        const std::string type = "struct " + layout.structure;
        code += "_Static_assert(sizeof(" + type + ") == " + std::to_string(layout.size) + ", \"size\");\n";
        code += "_Static_assert(offsetof(" + type + ", " + layout.field + ") == " + std::to_string(layout.offset) +
                ", \"" + layout.structure + "." + layout.field + "\");\n";
    }
    FILE* file = std::fopen(path.c_str(), "w");
    if (!file) return "cannot write " + path;
    std::fputs(code.c_str(), file);
    std::fclose(file);
    return {};
}

TEST(Layout, c11_agrees_and_has_no_hidden_padding) {
    if (::access("include/umbra/abi", R_OK) != 0) GTEST_SKIP() << "needs the source tree as current directory";
    if (std::system("command -v gcc >/dev/null") != 0) GTEST_SKIP() << "needs gcc";
    char path[] = "/tmp/umbra-abi-XXXXXX.c";
    const int fd = ::mkstemps(path, 2);
    ASSERT_GE(fd, 0);
    ::close(fd);
    EXPECT_EQ(write_assertions(path), "");
    const std::string command =
        "gcc -std=c11 -Wall -Wextra -Wpadded -Werror -Iinclude -fsyntax-only " + std::string(path);
    EXPECT_EQ(std::system(command.c_str()), 0);
    ::unlink(path);
}

void expect_member(const btf* types, const btf_type* type, const Layout& layout) {
    const btf_member* members = btf_members(type);
    for (__u32 i = 0; i < btf_vlen(type); ++i) {
        if (layout.field != btf__name_by_offset(types, members[i].name_off)) continue;
        EXPECT_EQ(btf_member_bit_offset(type, i), layout.offset * 8) << layout.structure << "." << layout.field;
        return;
    }
    ADD_FAILURE() << "the object has no " << layout.structure << "." << layout.field;
}

TEST(Layout, the_object_agrees) {
    const Object object;
    ASSERT_NE(object.get(), nullptr);
    for (const Layout& layout : layouts()) {
        const int id = btf__find_by_name_kind(object.types(), layout.structure.c_str(), BTF_KIND_STRUCT);
        ASSERT_GT(id, 0) << layout.structure;
        EXPECT_EQ(btf__resolve_size(object.types(), static_cast<__u32>(id)), static_cast<long>(layout.size));
        const btf_type* type = btf__type_by_id(object.types(), static_cast<__u32>(id));
        EXPECT_EQ(btf_vlen(type), fields_of(layout.structure)) << layout.structure << " has fields not in the list";
        expect_member(object.types(), type, layout);
    }
}

TEST(Layout, reasons_lie_in_the_order_of_their_codes) {
    EXPECT_EQ(sizeof(umbra_rule_counters::dropped), UMBRA_KERNEL_REASON_COUNT * sizeof(umbra_count));
    EXPECT_EQ(sizeof(umbra_ledger_row::dropped), UMBRA_REASON_COUNT * sizeof(umbra_units));
    EXPECT_EQ(offsetof(umbra_rule_counters, dropped.queue_full) - offsetof(umbra_rule_counters, dropped),
              UMBRA_KERNEL_queue_full * sizeof(umbra_count));
}

TEST(FlowHash, is_equal_for_both_directions_and_differs_by_seed) {
    umbra_tuple tuple{}, turned{};
    for (int i = 0; i < 16; ++i) {
        tuple.client_addr[i] = turned.server_addr[i] = static_cast<__u8>(i * 7);
        tuple.server_addr[i] = turned.client_addr[i] = static_cast<__u8>(200 - i);
    }
    tuple.client_port = turned.server_port = 1234;
    tuple.server_port = turned.client_port = 80;
    EXPECT_EQ(umbra_flow_hash(&tuple, 5), umbra_flow_hash(&turned, 5));
    EXPECT_NE(umbra_flow_hash(&tuple, 5), umbra_flow_hash(&tuple, 6));
}

TEST(Names, of_maps_and_programs_have_15_characters_at_most) {
    const Object object;
    ASSERT_NE(object.get(), nullptr);
    std::size_t maps = 0;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object.get()) {
        const std::string name = bpf_map__name(map);
        EXPECT_LE(name.size(), 15u) << name;
        EXPECT_TRUE(name.starts_with("umbra_")) << name;
        ++maps;
    }
    EXPECT_GE(maps, 11u);
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object.get()) {
        const std::string name = bpf_program__name(program);
        EXPECT_LE(name.size(), 15u) << name;
        EXPECT_TRUE(name.starts_with("umbra_")) << name;
    }
}

TEST(Maps, carry_types_so_that_dumps_can_be_read) {
    const Object object;
    ASSERT_NE(object.get(), nullptr);
    for (const char* name : {"umbra_counters", "umbra_muted", "umbra_own", "umbra_ledger", "umbra_workers"}) {
        const bpf_map* map = bpf_object__find_map_by_name(object.get(), name);
        ASSERT_NE(map, nullptr) << name;
        EXPECT_NE(bpf_map__btf_key_type_id(map), 0u) << name;
        EXPECT_NE(bpf_map__btf_value_type_id(map), 0u) << name;
    }
    for (const char* type : {"umbra_endpoint", "umbra_match", "umbra_rule", "umbra_source"})
        EXPECT_GT(btf__find_by_name_kind(object.types(), type, BTF_KIND_STRUCT), 0) << type;
}

}  // namespace
}  // namespace umbra::test
