#include "loader/generation.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "loader/os_error.h"

namespace umbra::loader {

namespace {

struct MapShape {
    bpf_map_type type;
    const char* name;
    const char* key_type;  // in the object's BTF
    const char* value_type;
    std::uint32_t key_size;
    std::uint32_t value_size;
    std::uint32_t flags;
};

constexpr MapShape kEndpoints{BPF_MAP_TYPE_HASH,
                              "umbra_endpoint",
                              "umbra_endpoint",
                              "umbra_match",
                              sizeof(umbra_endpoint),
                              sizeof(umbra_match),
                              0};
constexpr MapShape kPorts{BPF_MAP_TYPE_ARRAY, "umbra_port", "__u32", "__u64", sizeof(__u32), sizeof(__u64), 0};
constexpr MapShape kRules{BPF_MAP_TYPE_ARRAY, "umbra_rule",       "__u32", "umbra_rule",
                          sizeof(__u32),      sizeof(umbra_rule), 0};
constexpr MapShape kSources{BPF_MAP_TYPE_LPM_TRIE, "umbra_source", "umbra_source",   "__u32",
                            sizeof(umbra_source),  sizeof(__u32),  BPF_F_NO_PREALLOC};

Result<UniqueFd> create(const Skeleton& skeleton, const MapShape& shape, std::size_t entries) {
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = shape.flags);
    const std::uint32_t key = skeleton.btf_type(shape.key_type), value = skeleton.btf_type(shape.value_type);
    if (skeleton.btf_fd() > 0 && key && value) {
        options.btf_fd = static_cast<std::uint32_t>(skeleton.btf_fd());
        options.btf_key_type_id = key;
        options.btf_value_type_id = value;
    }
    const auto size = static_cast<std::uint32_t>(std::max<std::size_t>(entries, 1));
    const int fd = bpf_map_create(shape.type, shape.name, shape.key_size, shape.value_size, size, &options);
    if (fd < 0) return os_error("create, map '" + std::string(shape.name) + "'", fd);
    return UniqueFd(fd);
}

Result<void> put(int map_fd, const char* name, const void* key, const void* value) {
    if (const int error = bpf_map_update_elem(map_fd, key, value, BPF_ANY))
        return os_error("update, map '" + std::string(name) + "'", error);
    return {};
}

using PortWords = std::array<std::uint64_t, UMBRA_PORT_WORDS>;

PortWords port_words(const GenerationContent& content) {
    PortWords words{};
    for (const auto& [endpoint, match] : content.endpoints) {
        const unsigned port = endpoint.to_key().port;
        words[port / 64] |= std::uint64_t{1} << port % 64;
    }
    return words;
}

umbra_source key_of(const SourceEntry& entry) {
    constexpr std::uint32_t kSlotBits = 32;
    umbra_source key{};
    key.prefix_len = kSlotBits + entry.prefix.length;
    key.slot = entry.slot;
    std::memcpy(key.addr, entry.prefix.address.bytes.data(), sizeof(key.addr));
    return key;
}

}  // namespace

Result<GenerationMaps::InnerMaps> GenerationMaps::fill(const GenerationContent& content) const {
    auto ports = create(skeleton_, kPorts, UMBRA_PORT_WORDS);
    if (!ports) return ports.error();
    auto endpoints = create(skeleton_, kEndpoints, content.endpoints.size());
    if (!endpoints) return endpoints.error();
    auto rules = create(skeleton_, kRules, UMBRA_MAX_RULES);
    if (!rules) return rules.error();
    auto sources = create(skeleton_, kSources, content.sources.size());
    if (!sources) return sources.error();

    const PortWords words = port_words(content);
    for (std::uint32_t index = 0; index < words.size(); ++index) {
        if (words[index] == 0) continue;
        if (auto done = put(ports->get(), kPorts.name, &index, &words[index]); !done) return done.error();
    }
    for (const auto& [endpoint, match] : content.endpoints) {
        const umbra_endpoint key = endpoint.to_key();
        if (auto done = put(endpoints->get(), kEndpoints.name, &key, &match); !done) return done.error();
    }
    for (const auto& [slot, rule] : content.rules) {
        if (auto done = put(rules->get(), kRules.name, &slot, &rule); !done) return done.error();
    }
    constexpr std::uint32_t kPresent = 1;
    for (const SourceEntry& entry : content.sources) {
        const umbra_source key = key_of(entry);
        if (auto done = put(sources->get(), kSources.name, &key, &kPresent); !done) return done.error();
    }
    return InnerMaps{std::move(*ports), std::move(*endpoints), std::move(*rules), std::move(*sources)};
}

Result<void> GenerationMaps::place(const InnerMaps& maps, std::uint32_t index) const {
    const std::pair<const char*, int> places[] = {{"umbra_sources", maps.sources.get()},
                                                  {"umbra_rules", maps.rules.get()},
                                                  {"umbra_endpoints", maps.endpoints.get()},
                                                  {"umbra_ports", maps.ports.get()}};
    for (const auto& [name, inner] : places) {
        if (auto done = put(skeleton_.map_fd(name), name, &index, &inner); !done) return done.error();
    }
    return {};
}

std::uint32_t GenerationMaps::next() const { return (live_ + 1) % UMBRA_GENERATIONS; }

Result<void> GenerationMaps::prepare(const GenerationContent& content) {
    auto maps = fill(content);
    if (!maps) return maps.error();
    if (auto placed = place(*maps, next()); !placed) return placed;
    prepared_.emplace(std::move(*maps));
    return {};
}

Result<void> GenerationMaps::go_live() {
    if (!prepared_) return {};
    const std::uint32_t zero = 0, index = next();
    if (auto done = put(skeleton_.map_fd("umbra_active"), "umbra_active", &zero, &index); !done) return done.error();
    previous_ = std::exchange(live_, index);
    return {};
}

// The update of an outer map returns after an RCU grace period: when place() returns for the second time, no packet
// works with the old generation any more, and its maps can go.
void GenerationMaps::clean_up() {
    if (!prepared_) return;
    const InnerMaps maps = std::move(*prepared_);
    prepared_.reset();
    if (!place(maps, live_)) return;  // the old maps stay until the next write, harmless
    for (const char* name : {"umbra_ports", "umbra_endpoints", "umbra_rules", "umbra_sources"})
        bpf_map_delete_elem(skeleton_.map_fd(name), &previous_);
}

Result<void> GenerationMaps::write(const GenerationContent& content) {
    if (auto prepared = prepare(content); !prepared) return prepared;
    if (auto live = go_live(); !live) return live;
    clean_up();
    return {};
}

}  // namespace umbra::loader
