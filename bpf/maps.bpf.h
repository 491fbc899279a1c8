/* All maps. Key -> value, who writes, what happens when full. Names have 15 characters at most.
 * Sizes that depend on the number of workers are set by the loader. */
#ifndef UMBRA_BPF_MAPS_H
#define UMBRA_BPF_MAPS_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "umbra/abi/counters.h"
#include "umbra/abi/record.h"
#include "umbra/abi/rule.h"

/* Never read: it makes the compiler describe, in the object's BTF, the types that only the inner maps hold. The loader
 * gives them to the maps that it makes, so that `bpftool map dump` reads like the rule. */
const volatile struct {
	struct umbra_endpoint endpoint;
	struct umbra_match match;
	struct umbra_rule rule;
	struct umbra_source source;
} umbra_inner_types = {};

/* 0 -> index of the live generation in the three outer maps below. Loader writes; one write is one swap. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} umbra_active SEC(".maps");

struct umbra_port_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UMBRA_PORT_WORDS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
};

/* generation -> one bit for each port that an endpoint has. Loader writes. Spares other traffic the look-ups. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, UMBRA_GENERATIONS);
	__type(key, __u32);
	__array(values, struct umbra_port_map);
} umbra_ports SEC(".maps");

struct umbra_endpoint_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct umbra_endpoint));
	__uint(value_size, sizeof(struct umbra_match));
};

/* generation -> (live origin endpoint -> its candidates). Loader writes. A plan that does not fit is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, UMBRA_GENERATIONS);
	__type(key, __u32);
	__array(values, struct umbra_endpoint_map);
} umbra_endpoints SEC(".maps");

struct umbra_rule_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UMBRA_MAX_RULES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct umbra_rule));
};

/* generation -> (rule slot -> rule). Loader writes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, UMBRA_GENERATIONS);
	__type(key, __u32);
	__array(values, struct umbra_rule_map);
} umbra_rules SEC(".maps");

struct umbra_source_map {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct umbra_source));
	__uint(value_size, sizeof(__u32));
};

/* generation -> (rule slot and client prefix). Loader writes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, UMBRA_GENERATIONS);
	__type(key, __u32);
	__array(values, struct umbra_source_map);
} umbra_sources SEC(".maps");

/* ifindex of an attached device -> what it is. Loader writes, before it attaches. Full: the plan is refused. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, UMBRA_MAX_DEVICES);
	__type(key, __u32);
	__type(value, struct umbra_device);
} umbra_devices SEC(".maps");

/* rule slot -> packets and bytes. The programs write. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, UMBRA_MAX_RULES);
	__type(key, __u32);
	__type(value, struct umbra_rule_counters);
} umbra_counters SEC(".maps");

/* flow -> time of the wish. The terminator writes: this flow is no longer wanted. Full: the longest unused goes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, UMBRA_MAX_MUTED);
	__type(key, struct umbra_tuple);
	__type(value, __u64);
} umbra_muted SEC(".maps");

/* flow -> time it was opened. The terminator writes its own connections before it connects. Full: it may not connect.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, UMBRA_MAX_OWN);
	__type(key, struct umbra_tuple);
	__type(value, __u64);
} umbra_own SEC(".maps");

struct umbra_ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/* worker -> its ring of struct umbra_server_record. The programs write, the worker reads. Full: ring_full. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct umbra_ring_map);
} umbra_rings SEC(".maps");

/* worker * UMBRA_MAX_RULES + rule slot -> the terminator's ledger. That worker writes, through mmap. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, UMBRA_MAX_RULES);
	__type(key, __u32);
	__type(value, struct umbra_ledger_row);
} umbra_ledger SEC(".maps");

/* worker -> its own counters and gauges. That worker writes, through mmap. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct umbra_worker_row);
} umbra_workers SEC(".maps");

#endif
