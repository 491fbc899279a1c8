/* Counting: per CPU, so plain additions are exact. */
#ifndef UMBRA_BPF_COUNT_H
#define UMBRA_BPF_COUNT_H

#include "maps.bpf.h"

static __always_inline void umbra_count(struct umbra_count *count, __u32 bytes)
{
	count->packets++;
	count->bytes += bytes;
}

static __always_inline void umbra_count_drop(struct umbra_rule_counters *counters, __u32 reason, __u32 bytes)
{
	if (reason < UMBRA_KERNEL_REASON_COUNT)
		umbra_count((struct umbra_count *)&counters->dropped + reason, bytes);
}

#endif
