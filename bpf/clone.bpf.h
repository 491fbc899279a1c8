/* The two carriers to user space: client packets as clones to the capture device, server packets as header records
 * in the ring of the flow's worker. The result is a reason to count, never a verdict. */
#ifndef UMBRA_BPF_CLONE_H
#define UMBRA_BPF_CLONE_H

#include "config.bpf.h"
#include "cursor.bpf.h"
#include "maps.bpf.h"
#include "match.bpf.h"

#define UMBRA_CARRIED (-1)
#define UMBRA_RECORD_BYTES (sizeof(struct umbra_server_record) + 8) /* with the ring's own header */

static __always_inline __u32 umbra_worker_of(__u32 flow_hash)
{
	return flow_hash % (umbra_worker_count ? umbra_worker_count : 1);
}

/* Last step on the packet. A positive result is NET_XMIT_DROP of the capture device, whose qdisc is noqueue:
 * its queue had no room. */
static __always_inline int umbra_clone(struct __sk_buff *skb, bool has_link)
{
	long result = bpf_clone_redirect(skb, has_link ? umbra_capture : umbra_capture_ip, 0);

	if (result > 0)
		return UMBRA_KERNEL_queue_full;
	return result < 0 ? UMBRA_KERNEL_clone_failed : UMBRA_CARRIED;
}

static __noinline int umbra_fill_record(struct __sk_buff *skb, const struct umbra_packet *packet,
					const struct umbra_tuple *tuple, struct umbra_server_record *record)
{
	__u32 options_len = packet->options_len & ~3u;
	__u32 prefix_len = packet->payload_len;
	__u32 payload_offset = packet->options_offset + packet->options_len;

	__builtin_memset(record, 0, sizeof(*record));
	record->time_ns = bpf_ktime_get_ns();
	record->version = UMBRA_ABI_VERSION;
	record->type = UMBRA_RECORD_SERVER_HEADER;
	record->tcp_flags = packet->tcp_flags;
	record->payload_len = packet->payload_len;
	__builtin_memcpy(&record->tuple, tuple, sizeof(*tuple));
	record->seq = packet->seq;
	record->ack = packet->ack;
	record->window = packet->window;
	if (options_len > 0 && options_len <= UMBRA_SERVER_OPTIONS &&
	    !bpf_skb_load_bytes(skb, packet->options_offset, record->options, options_len))
		record->options_len = options_len;
	if (prefix_len > UMBRA_SERVER_PREFIX)
		prefix_len = UMBRA_SERVER_PREFIX;
	if (prefix_len > 0 && !bpf_skb_load_bytes(skb, payload_offset, record->prefix, prefix_len))
		record->prefix_len = prefix_len;
	return 0;
}

/* Readers poll on a timer while busy: a wake-up costs the server's packet an interrupt of about 4 us, the copy 50 ns.
 * So only a ring that fills wakes its reader, and not at every record. */
static __always_inline __u64 umbra_wakeup(void *ring)
{
	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) <= umbra_wakeup_bytes)
		return BPF_RB_NO_WAKEUP;
	if ((bpf_ringbuf_query(ring, BPF_RB_PROD_POS) & (umbra_wakeup_step - 1)) >= UMBRA_RECORD_BYTES)
		return BPF_RB_NO_WAKEUP;
	return BPF_RB_FORCE_WAKEUP;
}

static __noinline int umbra_record(struct __sk_buff *skb, const struct umbra_packet *packet,
				   const struct umbra_tuple *tuple)
{
	__u32 worker = umbra_worker_of(umbra_flow_hash(tuple, umbra_flow_seed));
	void *ring = bpf_map_lookup_elem(&umbra_rings, &worker);
	struct umbra_server_record *record;

	if (!ring)
		return UMBRA_KERNEL_ring_full;
	record = bpf_ringbuf_reserve(ring, sizeof(*record), 0);
	if (!record)
		return UMBRA_KERNEL_ring_full;
	umbra_fill_record(skb, packet, tuple, record);
	bpf_ringbuf_submit(record, umbra_wakeup(ring));
	return UMBRA_CARRIED;
}

#endif
