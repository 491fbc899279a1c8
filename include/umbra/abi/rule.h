/* What the generations' inner maps hold: where an endpoint's packets pass, which rules it has to choose between,
 * and what the program needs to know of a rule. Written by the loader, read by the BPF programs. */
#ifndef UMBRA_ABI_RULE_H
#define UMBRA_ABI_RULE_H

#include "limits.h"
#include "tuple.h"

/* Where an endpoint's packets are taken. Each packet meets exactly one hook that is its own.
 * LOCAL        the address is this host's: to_server at ingress, from_server at egress, at any device but ports
 * BEHIND       the address is behind device `owner`: to_server at its egress, from_server at its ingress
 * BEHIND_PORT  as BEHIND, at any port of the bridge `owner` */
#define UMBRA_SIDE_LOCAL 0
#define UMBRA_SIDE_BEHIND 1
#define UMBRA_SIDE_BEHIND_PORT 2

/* Value of the inner maps of umbra_endpoints (key: struct umbra_endpoint). */
struct umbra_match {
	__u32 owner; /* ifindex; with LOCAL 0: any attached device that is no port of a bridge */
	__u8 side;   /* UMBRA_SIDE_* */
	__u8 pad;
	__u16 count;			       /* valid entries of candidates */
	__u16 candidates[UMBRA_MAX_CANDIDATES]; /* rule slots, best first */
};
UMBRA_STATIC_ASSERT(sizeof(struct umbra_match) == 24, "umbra_match is a map value");

#define UMBRA_RULE_MIRROR 1u	  /* the rule mirrors; without: it ends the search */
#define UMBRA_RULE_CONDITIONAL 2u /* request conditions: the rules after it may apply as well */
#define UMBRA_RULE_RESTRICTED 4u  /* only for clients that umbra_sources has for this slot */
#define UMBRA_RULE_SAMPLED 8u	  /* only flows with umbra_flow_hash(tuple, seed) < threshold */

/* Value of the inner maps of umbra_rules (key: rule slot). A slot that no rule uses is zero. */
struct umbra_rule {
	__u32 flags; /* UMBRA_RULE_* */
	__u32 threshold;
	__u32 seed; /* of the rule's key: stable over restarts */
	__u32 pad;
};
UMBRA_STATIC_ASSERT(sizeof(struct umbra_rule) == 16, "umbra_rule is a map value");

/* Key of the inner maps of umbra_sources, a longest-prefix trie; the value (__u32) says nothing. */
struct umbra_source {
	__u32 prefix_len; /* 32 for the slot + the prefix's length in its v4-mapped form */
	__u32 slot;
	__u8 addr[16];
};
UMBRA_STATIC_ASSERT(sizeof(struct umbra_source) == 24, "umbra_source is a map key");

/* The inner maps of umbra_ports: bit port % 64 of word port / 64, the port as it lies in memory in network order. */
#define UMBRA_PORT_WORDS 1024

/* Value of umbra_devices (key: ifindex of an attached device). */
struct umbra_device {
	__u32 bridge; /* ifindex of the bridge that it is a port of, or 0 */
};

#endif
