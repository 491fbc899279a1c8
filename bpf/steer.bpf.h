/* Chooses the queue of the capture device for a clone: the worker whose ring gets the flow's server packets. */
#ifndef UMBRA_BPF_STEER_H
#define UMBRA_BPF_STEER_H

#include "clone.bpf.h"
#include "parse.bpf.h"

static __always_inline int umbra_steer_packet(struct __sk_buff *skb, bool has_link)
{
	struct umbra_packet packet = {};

	if (umbra_parse(skb, &packet, has_link))
		return 0;
	return umbra_worker_of(
	    umbra_hash_join(umbra_hash_side(packet.source.addr, packet.source.port, umbra_flow_seed),
			    umbra_hash_side(packet.target.addr, packet.target.port, umbra_flow_seed)));
}

#endif
