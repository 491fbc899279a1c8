/* Link and IP headers down to the first byte of TCP. Accepts what the kernel's receiver accepts and no more;
 * lengths are those of the IP header, never skb->len, but for BIG TCP, which has none. */
#ifndef UMBRA_BPF_PARSE_H
#define UMBRA_BPF_PARSE_H

#include "cursor.bpf.h"
#include "parse_tcp.bpf.h"
#include "umbra/abi/limits.h"

#include <bpf/bpf_endian.h>

#define ETHER_HEADER_LEN 14
#define ETHER_TYPE_OFFSET 12
#define ETHER_IPV4 0x0800
#define ETHER_IPV6 0x86dd
#define ETHER_VLAN 0x8100
#define ETHER_QINQ 0x88a8

#define IPV4_HEADER_LEN 20
#define IPV4_PLAIN 0x45 /* version 4, no options */
#define IPV4_OFFSET_MASK 0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV6_HEADER_LEN 40
#define IPV6_OFFSET_MASK 0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001

#define NEXT_HOP_BY_HOP 0
#define NEXT_TCP 6
#define NEXT_ROUTING 43
#define NEXT_FRAGMENT 44
#define NEXT_AUTHENTICATION 51
#define NEXT_DESTINATION 60

struct umbra_vlan_tag {
	__be16 tci;
	__be16 ether_type;
};

struct umbra_ipv4 {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_len;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__be32 source;
	__be32 target;
};

struct umbra_ipv6 {
	__be32 version_class_flow;
	__be16 payload_len;
	__u8 next;
	__u8 hop_limit;
	__u32 source[4];
	__u32 target[4];
};

struct umbra_ext {
	__u8 next;
	__u8 len;
	__be16 fragment; /* fragment header: offset and flag; routing header: type and segments left */
	__u32 rest;
};

static __always_inline int umbra_parse_ether(struct __sk_buff *skb, struct umbra_packet *packet)
{
	/* The kernel keeps the outer tag beside the packet; an inner one stays in the payload. */
	__u32 tags = skb->vlan_present ? 1 : 0;
	struct umbra_vlan_tag tag;
	__be16 ether_type;

	packet->offset = ETHER_TYPE_OFFSET;
	if (UMBRA_READ(skb, packet, ether_type))
		return UMBRA_NOT_OURS;
#pragma unroll
	for (int i = 0; i < UMBRA_MAX_VLAN_TAGS; i++) {
		if (ether_type != bpf_htons(ETHER_VLAN) && ether_type != bpf_htons(ETHER_QINQ))
			break;
		if (tags++ >= UMBRA_MAX_VLAN_TAGS || UMBRA_READ(skb, packet, tag))
			return UMBRA_NOT_OURS;
		ether_type = tag.ether_type;
	}
	packet->ether_type = bpf_ntohs(ether_type);
	return 0;
}

/* A packet of a device without link headers begins with the IP version. */
static __always_inline int umbra_parse_bare(struct __sk_buff *skb, struct umbra_packet *packet)
{
	__u8 version;

	if (UMBRA_READ(skb, packet, version))
		return UMBRA_NOT_OURS;
	packet->offset = 0;
	version >>= 4;
	packet->ether_type = version == 4 ? ETHER_IPV4 : version == 6 ? ETHER_IPV6 : 0;
	return 0;
}

static __always_inline void umbra_map_v4(__u32 *addr, __be32 v4)
{
	addr[0] = 0;
	addr[1] = 0;
	addr[2] = bpf_htonl(0xffff);
	addr[3] = v4;
}

static __always_inline void umbra_set_end(struct __sk_buff *skb, struct umbra_packet *packet, __u32 end)
{
	packet->ip_end = end;
	if (end > skb->len)
		packet->flaw = UMBRA_FLAW_MALFORMED;
}

/* start: offset of the IP header, which begins with version 4; the cursor moves behind it. */
static __always_inline int umbra_take_ipv4(struct __sk_buff *skb, struct umbra_packet *packet,
					   const struct umbra_ipv4 *ip, __u32 start)
{
	__u32 header_len = (ip->version_ihl & 0xf) * 4;
	__u32 total_len = bpf_ntohs(ip->total_len);
	__u16 fragment = bpf_ntohs(ip->fragment);

	if (header_len < IPV4_HEADER_LEN || fragment & IPV4_OFFSET_MASK)
		return UMBRA_NOT_OURS;
	if (total_len == 0 && skb->gso_size)
		total_len = skb->len - start;
	if (total_len < header_len)
		return UMBRA_NOT_OURS;
	umbra_set_end(skb, packet, start + total_len);
	if (fragment & IPV4_MORE_FRAGMENTS)
		packet->flaw = UMBRA_FLAW_FRAGMENT;
	umbra_map_v4(packet->source.addr, ip->source);
	umbra_map_v4(packet->target.addr, ip->target);
	packet->offset = start + header_len;
	return 0;
}

static __always_inline int umbra_parse_ipv4(struct __sk_buff *skb, struct umbra_packet *packet)
{
	__u32 start = packet->offset;
	struct umbra_ipv4 ip;

	if (UMBRA_READ(skb, packet, ip) || ip.version_ihl >> 4 != 4 || ip.protocol != NEXT_TCP)
		return UMBRA_NOT_OURS;
	return umbra_take_ipv4(skb, packet, &ip, start);
}

/* One extension header: moves past it and says what follows; NOT_OURS where the receiver would not go on. */
static __always_inline int umbra_skip_extension(struct __sk_buff *skb, struct umbra_packet *packet, bool first)
{
	__u32 start = packet->offset;
	__u8 kind = packet->protocol;
	struct umbra_ext ext;

	if (UMBRA_READ(skb, packet, ext))
		return UMBRA_NOT_OURS;
	packet->protocol = ext.next;
	if (kind == NEXT_FRAGMENT) {
		__u16 fragment = bpf_ntohs(ext.fragment);

		if (fragment & IPV6_OFFSET_MASK)
			return UMBRA_NOT_OURS;
		if (fragment & IPV6_MORE_FRAGMENTS)
			packet->flaw = UMBRA_FLAW_FRAGMENT;
		return 0;
	}
	if (kind == NEXT_HOP_BY_HOP && !first)
		return UMBRA_NOT_OURS;
	if (kind == NEXT_ROUTING && bpf_ntohs(ext.fragment) & 0xff)
		return UMBRA_NOT_OURS;
	if (kind == NEXT_AUTHENTICATION)
		packet->offset = start + (ext.len + 2) * 4;
	else
		packet->offset = start + (ext.len + 1) * 8;
	return 0;
}

static __always_inline bool umbra_is_extension(__u8 next)
{
	return next == NEXT_HOP_BY_HOP || next == NEXT_ROUTING || next == NEXT_FRAGMENT ||
	       next == NEXT_AUTHENTICATION || next == NEXT_DESTINATION;
}

static __always_inline int umbra_parse_ipv6(struct __sk_buff *skb, struct umbra_packet *packet)
{
	__u32 payload_len;
	struct umbra_ipv6 ip;

	if (UMBRA_READ(skb, packet, ip) || (bpf_ntohl(ip.version_class_flow) >> 28) != 6)
		return UMBRA_NOT_OURS;
	__builtin_memcpy(packet->source.addr, ip.source, sizeof(ip.source));
	__builtin_memcpy(packet->target.addr, ip.target, sizeof(ip.target));
	payload_len = bpf_ntohs(ip.payload_len);
	if (payload_len == 0 && skb->gso_size)
		payload_len = skb->len - packet->offset;
	umbra_set_end(skb, packet, packet->offset + payload_len);
	packet->protocol = ip.next;
	for (int i = 0; i < UMBRA_MAX_EXT_HEADERS; i++) {
		if (!umbra_is_extension(packet->protocol))
			break;
		if (umbra_skip_extension(skb, packet, i == 0))
			return UMBRA_NOT_OURS;
	}
	return packet->protocol == NEXT_TCP ? 0 : UMBRA_NOT_OURS;
}

/* A function of its own, see umbra_choose. */
static __noinline int umbra_parse_any(struct __sk_buff *skb, struct umbra_packet *packet, bool has_link)
{
	int failed = has_link ? umbra_parse_ether(skb, packet) : umbra_parse_bare(skb, packet);

	if (failed)
		return UMBRA_NOT_OURS;
	if (packet->ether_type == ETHER_IPV4)
		failed = umbra_parse_ipv4(skb, packet);
	else if (packet->ether_type == ETHER_IPV6)
		failed = umbra_parse_ipv6(skb, packet);
	else
		failed = UMBRA_NOT_OURS;
	return failed ? UMBRA_NOT_OURS : umbra_parse_tcp(skb, packet);
}

/* From the ether type on, laid out so that the headers are aligned. */
struct umbra_head {
	__u16 pad;
	__be16 ether_type;
	struct umbra_ipv4 ip;
	struct umbra_tcp tcp;
};

static __always_inline int umbra_load_head(struct __sk_buff *skb, struct umbra_head *head, bool has_link)
{
	if (!has_link) {
		head->ether_type = bpf_htons(ETHER_IPV4);
		return bpf_skb_load_bytes(skb, 0, &head->ip, sizeof(head->ip) + sizeof(head->tcp));
	}
	return bpf_skb_load_bytes(skb, ETHER_TYPE_OFFSET, &head->ether_type,
				  sizeof(head->ether_type) + sizeof(head->ip) + sizeof(head->tcp));
}

/* Fills packet; on success both addresses and ports are known and packet->flaw says whether the rest is good.
 * The common packet, IPv4 without options, is read at one go. */
static __always_inline int umbra_parse(struct __sk_buff *skb, struct umbra_packet *packet, bool has_link)
{
	__u32 start = has_link ? ETHER_HEADER_LEN : 0;
	struct umbra_head head;

	if (umbra_load_head(skb, &head, has_link) || head.ether_type != bpf_htons(ETHER_IPV4) ||
	    head.ip.version_ihl != IPV4_PLAIN)
		return umbra_parse_any(skb, packet, has_link);
	if (head.ip.protocol != NEXT_TCP || umbra_take_ipv4(skb, packet, &head.ip, start))
		return UMBRA_NOT_OURS;
	return umbra_take_tcp(packet, &head.tcp, start + IPV4_HEADER_LEN);
}

#endif
