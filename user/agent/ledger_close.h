// The ledger's arithmetic, pure: readings in, verdict out. Who reads, and when, is ledger_reader.h's business.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "umbra/abi/counters.h"

namespace umbra::agent {

// One rule, over all CPUs and workers.
struct RuleReading {
    std::string rule;
    bool removed = false;
    umbra_rule_counters kernel{};
    umbra_ledger_row row{};
};

struct LedgerReading {
    std::vector<RuleReading> rules;
    // In payload bytes, because the kernel cuts super-segments above 64 KB (BIG TCP) for the capture device: one
    // clone then arrives as many packets.
    std::uint64_t forgotten_clones = 0;  // of rules whose slots were given to others
    std::uint64_t captured = 0;          // by all workers, read before the rules' counters
    std::int64_t unreported = 0;         // see hand_over.h
    std::uint64_t queue_capacity = 0;    // of all capture queues
};

struct LedgerVerdict {
    bool closes = true;
    std::uint64_t cloned = 0;
    std::int64_t in_queue = 0;  // cloned, to be captured yet; negative: captured what nobody cloned
    std::vector<std::string> imbalances;
};

bool balanced(const umbra_rule_counters& kernel);
bool balanced(const umbra_ledger_row& row);
void add(umbra_ledger_row& sum, const umbra_ledger_row& row);

// What a slot had counted when it changed hands. What was in flight then belongs to the new owner.
struct Baseline {
    umbra_rule_counters kernel{};
    umbra_ledger_row row{};
};
Baseline baseline_of(const umbra_rule_counters& kernel, umbra_ledger_row row);
// Leaves what was counted since.
void subtract(RuleReading& reading, const Baseline& baseline);
bool is_zero(const umbra_ledger_row& row);
bool is_zero(const umbra_rule_counters& kernel);

// What a worker that died had in flight is lost with it: it becomes `shutdown`. The counters then balance again, even
// if it died between two writes.
void settle_dead(umbra_ledger_row& row);

// It closes when, for every rule, the kernel's seen = cloned + dropped (without ring_full), every unit's
// seen = mirrored + dropped + in flight, and what was cloned, neither captured nor unreported, fits in the capture
// queues.
LedgerVerdict close_ledger(const LedgerReading& reading);

}  // namespace umbra::agent
