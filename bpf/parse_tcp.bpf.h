/* The TCP header: ports first, because a packet can be attributed, and its flaw counted, only by them. */
#ifndef UMBRA_BPF_PARSE_TCP_H
#define UMBRA_BPF_PARSE_TCP_H

#include "cursor.bpf.h"

#include <bpf/bpf_endian.h>

#define TCP_HEADER_LEN 20
#define TCP_PORTS_LEN 4
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_URG 0x20
#define TCP_ACK 0x10

struct umbra_tcp {
	__be16 source;
	__be16 target;
	__be32 seq;
	__be32 ack;
	__u8 data_offset;
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
};

static __always_inline void umbra_malformed(struct umbra_packet *packet)
{
	if (!packet->flaw)
		packet->flaw = UMBRA_FLAW_MALFORMED;
}

/* start: offset of the TCP header in the packet. */
static __always_inline int umbra_take_tcp(struct umbra_packet *packet, const struct umbra_tcp *tcp, __u32 start)
{
	__u32 header_len = (tcp->data_offset >> 4) * 4;

	if (start + TCP_PORTS_LEN > packet->ip_end)
		return UMBRA_NOT_OURS;
	packet->source.port = tcp->source;
	packet->target.port = tcp->target;
	if (start + TCP_HEADER_LEN > packet->ip_end || header_len < TCP_HEADER_LEN ||
	    start + header_len > packet->ip_end) {
		umbra_malformed(packet);
		return 0;
	}
	packet->seq = bpf_ntohl(tcp->seq);
	packet->ack = bpf_ntohl(tcp->ack);
	packet->tcp_flags = tcp->flags;
	packet->window = bpf_ntohs(tcp->window);
	packet->options_offset = start + TCP_HEADER_LEN;
	packet->options_len = header_len - TCP_HEADER_LEN;
	packet->payload_len = packet->ip_end - start - header_len;
	return 0;
}

static __always_inline int umbra_parse_tcp(struct __sk_buff *skb, struct umbra_packet *packet)
{
	__u32 start = packet->offset;
	struct umbra_tcp tcp = {};

	if (!UMBRA_READ(skb, packet, tcp))
		return umbra_take_tcp(packet, &tcp, start);
	/* The frame ends inside the header: data offset 0 says the rest. */
	if (bpf_skb_load_bytes(skb, start, &tcp, TCP_PORTS_LEN))
		return UMBRA_NOT_OURS;
	tcp.data_offset = 0;
	return umbra_take_tcp(packet, &tcp, start);
}

#endif
