/* Which flows a rule's percentage takes: whole flows, by a hash with the rule's seed. No state, no write. */
#ifndef UMBRA_BPF_SAMPLE_H
#define UMBRA_BPF_SAMPLE_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "umbra/abi/hash.h"
#include "umbra/abi/rule.h"

static __noinline bool umbra_sampled(const struct umbra_rule *rule, const struct umbra_tuple *tuple)
{
	return !(rule->flags & UMBRA_RULE_SAMPLED) || umbra_flow_hash(tuple, rule->seed) < rule->threshold;
}

#endif
