/* What the ring buffers carry: one record per packet that an origin server sent, headers only.
 * Sequence numbers, lengths and the window are in host order; the tuple as in tuple.h.
 * A reader treats every record as untrusted: it checks version, type and both lengths. */
#ifndef UMBRA_ABI_RECORD_H
#define UMBRA_ABI_RECORD_H

#include "limits.h"
#include "tuple.h"

#define UMBRA_RECORD_SERVER_HEADER 1

struct umbra_server_record {
	__u64 time_ns;			/* CLOCK_MONOTONIC */
	__u8 version;			/* UMBRA_ABI_VERSION */
	__u8 type;			/* UMBRA_RECORD_* */
	__u8 tcp_flags;			/* byte 13 of the TCP header: CWR ECE URG ACK PSH RST SYN FIN */
	__u8 options_len;		/* valid bytes of options */
	__u32 payload_len;		/* TCP payload bytes of the packet, a super-segment counted whole */
	struct umbra_tuple tuple;
	__u32 seq;
	__u32 ack;
	__u16 window;			/* as on the wire, not scaled */
	__u16 prefix_len;		/* valid bytes of prefix */
	__u8 options[UMBRA_SERVER_OPTIONS];
	__u8 prefix[UMBRA_SERVER_PREFIX]; /* first bytes of the payload, to tell a response's start and status */
};
UMBRA_STATIC_ASSERT(sizeof(struct umbra_server_record) == 120, "umbra_server_record crosses the ring");

#endif
