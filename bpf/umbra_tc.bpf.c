// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The programs of Umbra. At each attach point one for ingress and one for egress:
 * guard -> parse -> match -> guard and sample -> clone or record -> count. The packet itself goes on untouched:
 * every path returns TC_ACT_UNSPEC, whatever happened to the copy. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "clone.bpf.h"
#include "config.bpf.h"
#include "count.bpf.h"
#include "guard.bpf.h"
#include "match.bpf.h"
#include "parse.bpf.h"
#include "steer.bpf.h"

#define TC_ACT_UNSPEC (-1)

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline int umbra_flaw_reason(const struct umbra_packet *packet)
{
	if (packet->flaw == UMBRA_FLAW_FRAGMENT)
		return UMBRA_KERNEL_fragment;
	return packet->flaw ? UMBRA_KERNEL_malformed : UMBRA_WANTED;
}

static __always_inline void umbra_to_server(struct __sk_buff *skb, const struct umbra_packet *packet,
					    const struct umbra_hit *hit, bool has_link)
{
	struct umbra_rule_counters *counters = bpf_map_lookup_elem(&umbra_counters, &hit->slot);
	int reason = umbra_flaw_reason(packet);
	__u32 bytes = packet->payload_len;

	if (!counters)
		return;
	if (reason < 0 && !bytes && !(packet->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_URG))) {
		umbra_count(&counters->bare_acks, 0);
		return;
	}
	umbra_count(&counters->seen, bytes);
	if (reason < 0)
		reason = umbra_unwanted(hit);
	if (reason < 0)
		reason = umbra_clone(skb, has_link);
	if (reason < 0)
		umbra_count(&counters->cloned, bytes);
	else
		umbra_count_drop(counters, reason, bytes);
}

static __always_inline void umbra_from_server(struct __sk_buff *skb, const struct umbra_packet *packet,
					      const struct umbra_hit *hit)
{
	struct umbra_rule_counters *counters = bpf_map_lookup_elem(&umbra_counters, &hit->slot);
	int reason;

	if (!counters || packet->flaw || umbra_unwanted(hit) >= 0)
		return;
	umbra_count(&counters->server, packet->payload_len);
	reason = umbra_record(skb, packet, &hit->tuple);
	if (reason >= 0)
		umbra_count_drop(counters, reason, packet->payload_len);
}

static __always_inline int umbra_handle(struct __sk_buff *skb, __u32 hook, bool has_link)
{
	struct umbra_packet packet = {};
	struct umbra_hit hit = {};

	if (umbra_is_capture(skb) || umbra_parse(skb, &packet, has_link) ||
	    umbra_match_packet(skb, &packet, hook, &hit))
		return TC_ACT_UNSPEC;
	if (hit.to_server) {
		umbra_unmute(&hit, packet.tcp_flags);
		umbra_to_server(skb, &packet, &hit, has_link);
	} else {
		umbra_from_server(skb, &packet, &hit);
	}
	return TC_ACT_UNSPEC;
}

SEC("tc")
int umbra_ingress(struct __sk_buff *skb)
{
	return umbra_handle(skb, UMBRA_INGRESS, true);
}

SEC("tc")
int umbra_egress(struct __sk_buff *skb)
{
	return umbra_handle(skb, UMBRA_EGRESS, true);
}

/* The same for devices without link headers (tun, ipip, wireguard). */
SEC("tc")
int umbra_in_ip(struct __sk_buff *skb)
{
	return umbra_handle(skb, UMBRA_INGRESS, false);
}

SEC("tc")
int umbra_out_ip(struct __sk_buff *skb)
{
	return umbra_handle(skb, UMBRA_EGRESS, false);
}

SEC("socket")
int umbra_steer(struct __sk_buff *skb)
{
	return umbra_steer_packet(skb, true);
}

SEC("socket")
int umbra_steer_ip(struct __sk_buff *skb)
{
	return umbra_steer_packet(skb, false);
}
