/* The ledger's rows. Fields are named after the reasons so that `bpftool map dump` reads as a table. */
#ifndef UMBRA_ABI_COUNTERS_H
#define UMBRA_ABI_COUNTERS_H

#include "reason.h"
#include "version.h"

struct umbra_count {
	__u64 packets;
	__u64 bytes; /* TCP payload */
};

/* Value of umbra_counters (per CPU, key = rule slot). Written by the BPF program only.
 * Client packets that carry payload, SYN, FIN, RST or URG: seen = cloned + the dropped ones but ring_full.
 * server: headers seen of server packets; ring_full counts those of them that were lost. */
#define UMBRA_COUNT_FIELD(name, text) struct umbra_count name;
struct umbra_rule_counters {
	struct umbra_count seen;
	struct umbra_count cloned;
	struct umbra_count server;
	struct umbra_count bare_acks; /* client packets without any of these: nothing to mirror, not cloned */
	struct {
		UMBRA_KERNEL_REASONS(UMBRA_COUNT_FIELD)
	} dropped;
};
UMBRA_STATIC_ASSERT(sizeof(struct umbra_rule_counters) ==
			    (4 + UMBRA_KERNEL_REASON_COUNT) * sizeof(struct umbra_count),
		    "dropped is read as an array by reason");

struct umbra_units {
	__u64 flows;
	__u64 requests;
	__u64 bytes; /* client payload bytes as captured, duplicates included */
};

/* Value of umbra_ledger (key = worker * UMBRA_MAX_RULES + rule slot). Written by one worker only.
 * For each unit: seen = mirrored + sum of dropped + in_flight. */
#define UMBRA_UNITS_FIELD(name, text) struct umbra_units name;
struct umbra_ledger_row {
	struct umbra_units seen;
	struct umbra_units mirrored;
	struct umbra_units in_flight;
	struct {
		UMBRA_REASONS(UMBRA_UNITS_FIELD)
	} dropped;
};
UMBRA_STATIC_ASSERT(sizeof(struct umbra_ledger_row) == (3 + UMBRA_REASON_COUNT) * sizeof(struct umbra_units),
		    "dropped is read as an array by reason");

/* Value of umbra_workers (key = worker). Counters unless marked as gauge. Written by that worker only. */
struct umbra_worker_row {
	__u64 captured_packets;	   /* clones read from the capture queue */
	__u64 captured_bytes;	   /* TCP payload of the clones read: equals the kernel's cloned bytes */
	__u64 foreign_packets;	   /* frames on the capture queue that are of no rule */
	__u64 server_records;	   /* records read from the ring */
	__u64 bad_records;	   /* records refused: version, type or length */
	__u64 partial_checksums;   /* accepted with the pseudo-header sum only (offload) */
	__u64 flows_opened;
	__u64 flows_joined;	   /* picked up midstream or after a gap at a proven request boundary */
	__u64 one_sided_flows;	   /* fell back because the server's side stayed invisible */
	__u64 responses;	   /* responses of mirrors read to their end */
	__u64 response_bytes;
	__u64 connections_opened;
	__u64 gaps;		   /* holes that lost clones left in flows */
	__u64 broken_flows;	   /* flows with at least one gap */
	__u64 injected_losses;	   /* clones thrown away by --inject-loss */
	__u64 flows;		   /* gauge */
	__u64 one_sided;	   /* gauge: flows that are delivered without the server's ACKs now */
	__u64 embryos;		   /* gauge: handshakes without client data yet */
	__u64 connections;	   /* gauge: to mirrors */
	__u64 reassembly_bytes;	   /* gauge: held out of order or not yet acknowledged */
	__u64 queued_bytes;	   /* gauge: held for mirrors */
	__u64 generation;	   /* gauge: plan in use */
};

#endif
