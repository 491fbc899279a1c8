/* The packet as read so far, and the cursor that reads it. Reading copies: bpf_skb_load_bytes works beyond the
 * linear part and needs no packet pointers, whose subtraction the verifier allows only with CAP_PERFMON.
 * Contract: a reader moves the cursor past what it read, or returns a negative result and leaves it. */
#ifndef UMBRA_BPF_CURSOR_H
#define UMBRA_BPF_CURSOR_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#define UMBRA_NOT_OURS (-1) /* not TCP over IP, or no ports to attribute it by */

/* What is wrong with a packet whose ports are known. */
#define UMBRA_FLAW_NONE 0
#define UMBRA_FLAW_FRAGMENT 1
#define UMBRA_FLAW_MALFORMED 2

struct umbra_side {
	__u32 addr[4]; /* network order, IPv4 as v4-mapped */
	__be16 port;
};

struct umbra_packet {
	__u32 offset;	  /* the cursor, from the start of the data */
	__u32 ip_end;	  /* where the IP packet ends: Ethernet padding lies behind it */
	__u32 flaw;	  /* UMBRA_FLAW_* */
	__u16 ether_type; /* host order */
	__u8 protocol;
	__u8 tcp_flags;
	struct umbra_side source;
	struct umbra_side target;
	__u32 seq;
	__u32 ack;
	__u16 window;
	__u16 options_len;
	__u32 options_offset;
	__u32 payload_len;
};

#define UMBRA_READ(skb, packet, object) umbra_read(skb, packet, &(object), sizeof(object))

static __always_inline int umbra_read(struct __sk_buff *skb, struct umbra_packet *packet, void *to, __u32 size)
{
	if (bpf_skb_load_bytes(skb, packet->offset, to, size))
		return UMBRA_NOT_OURS;
	packet->offset += size;
	return 0;
}

#endif
