/* The flow hash: equal for both directions of a flow. It spreads flows over workers (seed chosen at load) and
 * decides which flows a rule's percentage takes (seed of the rule). Murmur3 rounds per side, joined commutatively. */
#ifndef UMBRA_ABI_HASH_H
#define UMBRA_ABI_HASH_H

#include "tuple.h"

#define UMBRA_INLINE static inline __attribute__((always_inline))

UMBRA_INLINE __u32 umbra_hash_rotate(__u32 x, __u32 by)
{
	return (x << by) | (x >> (32 - by));
}

UMBRA_INLINE __u32 umbra_hash_word(__u32 h, __u32 word)
{
	word = umbra_hash_rotate(word * 0xcc9e2d51u, 15) * 0x1b873593u;
	return umbra_hash_rotate(h ^ word, 13) * 5u + 0xe6546b64u;
}

UMBRA_INLINE __u32 umbra_hash_finish(__u32 h)
{
	h = (h ^ (h >> 16)) * 0x85ebca6bu;
	h = (h ^ (h >> 13)) * 0xc2b2ae35u;
	return h ^ (h >> 16);
}

/* One end of a flow: the address as four words as they lie in memory, the port in network order. */
UMBRA_INLINE __u32 umbra_hash_side(const __u32 *addr, __be16 port, __u32 seed)
{
	__u32 h = seed;

	h = umbra_hash_word(h, addr[0]);
	h = umbra_hash_word(h, addr[1]);
	h = umbra_hash_word(h, addr[2]);
	h = umbra_hash_word(h, addr[3]);
	h = umbra_hash_word(h, (__u32)port);
	return umbra_hash_finish(h);
}

UMBRA_INLINE __u32 umbra_hash_join(__u32 one, __u32 other)
{
	return umbra_hash_finish((one + other) ^ umbra_hash_rotate(one ^ other, 16));
}

UMBRA_INLINE __u32 umbra_flow_hash(const struct umbra_tuple *tuple, __u32 seed)
{
	__u32 client[4];
	__u32 server[4];

	__builtin_memcpy(client, tuple->client_addr, sizeof(client));
	__builtin_memcpy(server, tuple->server_addr, sizeof(server));
	return umbra_hash_join(umbra_hash_side(client, tuple->client_port, seed),
			       umbra_hash_side(server, tuple->server_port, seed));
}

#endif
