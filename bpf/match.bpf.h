/* Whose packet it is: endpoint, direction, hook, rule. One generation is read once and used throughout. */
#ifndef UMBRA_BPF_MATCH_H
#define UMBRA_BPF_MATCH_H

#include "cursor.bpf.h"
#include "maps.bpf.h"
#include "sample.bpf.h"

#define UMBRA_INGRESS 0
#define UMBRA_EGRESS 1

#define UMBRA_NO_SLOT UMBRA_MAX_RULES
#define UMBRA_SOURCE_BITS (32 + 128)

struct umbra_hit {
	__u32 slot;
	__u32 to_server;
	__u32 sampled;
	struct umbra_tuple tuple __attribute__((aligned(8)));
};

/* The packet's own hook: the device that owns the endpoint, in the direction in which it passes there. */
static __always_inline bool umbra_is_own_hook(struct __sk_buff *skb, const struct umbra_match *match, __u32 inward)
{
	struct umbra_device *device;
	__u32 ifindex = skb->ifindex;

	if (match->side == UMBRA_SIDE_LOCAL) {
		if (!inward)
			return false;
		if (match->owner)
			return match->owner == ifindex;
		device = bpf_map_lookup_elem(&umbra_devices, &ifindex);
		return device && !device->bridge;
	}
	if (inward)
		return false;
	if (match->side == UMBRA_SIDE_BEHIND)
		return match->owner == ifindex;
	device = bpf_map_lookup_elem(&umbra_devices, &ifindex);
	return device && device->bridge == match->owner;
}

static __always_inline bool umbra_has_port(void *ports, __be16 port)
{
	__u32 index = port / 64;
	__u64 *word = bpf_map_lookup_elem(ports, &index);

	return word && *word >> port % 64 & 1;
}

static __always_inline struct umbra_match *umbra_find(struct __sk_buff *skb, void *endpoints,
						      const struct umbra_side *server, __u32 inward)
{
	struct umbra_endpoint key __attribute__((aligned(8))) = {};
	struct umbra_match *match;

	__builtin_memcpy(key.addr, server->addr, sizeof(key.addr));
	key.port = server->port;
	match = bpf_map_lookup_elem(endpoints, &key);
	return match && umbra_is_own_hook(skb, match, inward) ? match : 0;
}

static __always_inline void umbra_set_tuple(struct umbra_tuple *tuple, const struct umbra_side *client,
					    const struct umbra_side *server)
{
	__builtin_memcpy(tuple->client_addr, client->addr, sizeof(tuple->client_addr));
	__builtin_memcpy(tuple->server_addr, server->addr, sizeof(tuple->server_addr));
	tuple->client_port = client->port;
	tuple->server_port = server->port;
}

static __noinline bool umbra_source_fits(void *sources, const struct umbra_tuple *tuple, __u32 slot)
{
	struct umbra_source key __attribute__((aligned(8))) = {.prefix_len = UMBRA_SOURCE_BITS, .slot = slot};

	__builtin_memcpy(key.addr, tuple->client_addr, sizeof(key.addr));
	return bpf_map_lookup_elem(sources, &key);
}

/* One candidate: not 0 if the ones after it may apply as well. */
static __noinline int umbra_try(void *rules, void *sources, __u32 slot, struct umbra_hit *hit)
{
	struct umbra_rule *found = bpf_map_lookup_elem(rules, &slot);
	struct umbra_rule rule;

	if (!found)
		return 0;
	rule = *found;
	if (rule.flags & UMBRA_RULE_RESTRICTED && !umbra_source_fits(sources, &hit->tuple, slot))
		return 1;
	if (rule.flags & UMBRA_RULE_MIRROR) {
		hit->sampled = umbra_sampled(&rule, &hit->tuple);
		if (hit->sampled || hit->slot == UMBRA_NO_SLOT)
			hit->slot = slot;
		if (hit->sampled)
			return 0;
	}
	return rule.flags & UMBRA_RULE_CONDITIONAL;
}

/* Walks the candidates up to the first that needs no request to decide. The hit is the first mirroring rule whose
 * percentage takes the flow; without one the first mirroring rule, not sampled; NOT_OURS if none mirrors.
 * Functions of their own and copies on the stack keep few pointers alive: without CAP_PERFMON the verifier of Linux
 * 6.18 refuses a scalar spilled where a pointer was ("attempt to corrupt spilled pointer on stack"), and pointers into
 * a map value that a loop moves ("pointer arithmetic … prohibited for !root"), hence the unrolling. */
static __noinline int umbra_choose(const struct umbra_match *match, __u32 generation, struct umbra_hit *hit)
{
	void *rules = bpf_map_lookup_elem(&umbra_rules, &generation);
	void *sources = bpf_map_lookup_elem(&umbra_sources, &generation);

	if (!rules || !sources)
		return UMBRA_NOT_OURS;
	hit->slot = UMBRA_NO_SLOT;
#pragma unroll
	for (int i = 0; i < UMBRA_MAX_CANDIDATES; i++) {
		if (i >= match->count)
			break;
		if (!umbra_try(rules, sources, match->candidates[i], hit))
			break;
	}
	return hit->slot == UMBRA_NO_SLOT ? UMBRA_NOT_OURS : 0;
}

static __always_inline int umbra_match_packet(struct __sk_buff *skb, const struct umbra_packet *packet, __u32 hook,
					      struct umbra_hit *hit)
{
	const struct umbra_side *client = &packet->source, *server = &packet->target;
	struct umbra_match *match = 0;
	void *endpoints, *ports;
	__u32 zero = 0, generation;
	__u32 *active;

	active = bpf_map_lookup_elem(&umbra_active, &zero);
	if (!active)
		return UMBRA_NOT_OURS;
	generation = *(volatile __u32 *)active;
	ports = bpf_map_lookup_elem(&umbra_ports, &generation);
	endpoints = bpf_map_lookup_elem(&umbra_endpoints, &generation);
	if (!ports || !endpoints)
		return UMBRA_NOT_OURS;
	hit->to_server = 1;
	if (umbra_has_port(ports, server->port))
		match = umbra_find(skb, endpoints, server, hook == UMBRA_INGRESS);
	if (!match && umbra_has_port(ports, client->port)) {
		hit->to_server = 0;
		client = &packet->target;
		server = &packet->source;
		match = umbra_find(skb, endpoints, server, hook == UMBRA_EGRESS);
	}
	if (!match)
		return UMBRA_NOT_OURS;
	umbra_set_tuple(&hit->tuple, client, server);
	return umbra_choose(match, generation, hit);
}

#endif
