/* Loop guards and the terminator's wishes. They come after the match, so other traffic pays nothing for them. */
#ifndef UMBRA_BPF_GUARD_H
#define UMBRA_BPF_GUARD_H

#include "config.bpf.h"
#include "cursor.bpf.h"
#include "maps.bpf.h"
#include "match.bpf.h"
#include "parse_tcp.bpf.h"

#define UMBRA_WANTED (-1)

/* A new connection of a muted tuple is another flow. The map is written only if the tuple is there, so a flood of SYNs
 * writes nothing; a SYN inside a muted flow costs clones that the terminator drops, and it mutes again. */
static __always_inline void umbra_unmute(const struct umbra_hit *hit, __u8 tcp_flags)
{
	if ((tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && bpf_map_lookup_elem(&umbra_muted, &hit->tuple))
		bpf_map_delete_elem(&umbra_muted, &hit->tuple);
}

static __always_inline bool umbra_is_capture(struct __sk_buff *skb)
{
	return skb->ifindex == umbra_capture || skb->ifindex == umbra_capture_ip;
}

/* The kernel reason for which this flow's packets are not wanted, or UMBRA_WANTED. */
static __always_inline int umbra_unwanted(const struct umbra_hit *hit)
{
	if (bpf_map_lookup_elem(&umbra_own, &hit->tuple))
		return UMBRA_KERNEL_own;
	if (!hit->sampled)
		return UMBRA_KERNEL_unsampled;
	if (bpf_map_lookup_elem(&umbra_muted, &hit->tuple))
		return UMBRA_KERNEL_muted;
	return UMBRA_WANTED;
}

#endif
