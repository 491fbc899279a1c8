#include "agent/ledger_close.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "base/settle.h"

namespace umbra::agent {

namespace {

struct NamedUnit {
    const char* name;
    Unit unit;
};
constexpr std::array<NamedUnit, 3> kUnits{
    {{"flows", &umbra_units::flows}, {"requests", &umbra_units::requests}, {"bytes", &umbra_units::bytes}}};

std::span<const umbra_count> dropped_counts(const umbra_rule_counters& kernel) {
    return {reinterpret_cast<const umbra_count*>(&kernel.dropped), UMBRA_KERNEL_REASON_COUNT};
}

umbra_count accounted(const umbra_rule_counters& kernel) {
    umbra_count sum = kernel.cloned;
    const auto dropped = dropped_counts(kernel);
    for (std::size_t reason = 0; reason < dropped.size(); ++reason) {
        if (reason == UMBRA_KERNEL_ring_full) continue;
        sum.packets += dropped[reason].packets;
        sum.bytes += dropped[reason].bytes;
    }
    return sum;
}

// Rows are nothing but 64-bit counters.
template <class Row>
std::span<const __u64> cells(const Row& row) {
    return {reinterpret_cast<const __u64*>(&row), sizeof(Row) / sizeof(__u64)};
}

template <class Row>
bool all_zero(const Row& row) {
    return std::ranges::all_of(cells(row), [](const __u64 cell) { return cell == 0; });
}

std::string difference(const std::string& what, std::uint64_t seen, std::uint64_t found) {
    return what + " seen " + std::to_string(seen) + ", accounted for " + std::to_string(found);
}

void judge_rule(const RuleReading& reading, std::vector<std::string>& imbalances) {
    const umbra_count known = accounted(reading.kernel);
    if (known.packets != reading.kernel.seen.packets)
        imbalances.push_back(difference(reading.rule + ": kernel packets", reading.kernel.seen.packets, known.packets));
    if (known.bytes != reading.kernel.seen.bytes)
        imbalances.push_back(difference(reading.rule + ": kernel bytes", reading.kernel.seen.bytes, known.bytes));
    for (const auto& [name, unit] : kUnits) {
        const std::uint64_t found = settled_units(reading.row, unit) + reading.row.in_flight.*unit;
        if (found != reading.row.seen.*unit)
            imbalances.push_back(difference(reading.rule + ": " + name, reading.row.seen.*unit, found));
    }
}

}  // namespace

bool balanced(const umbra_rule_counters& kernel) {
    const umbra_count known = accounted(kernel);
    return known.packets == kernel.seen.packets && known.bytes == kernel.seen.bytes;
}

bool balanced(const umbra_ledger_row& row) {
    return std::ranges::all_of(kUnits, [&](const NamedUnit& named) {
        return settled_units(row, named.unit) + row.in_flight.*named.unit == row.seen.*named.unit;
    });
}

Baseline baseline_of(const umbra_rule_counters& kernel, umbra_ledger_row row) {
    row.seen.flows -= row.in_flight.flows;
    row.seen.requests -= row.in_flight.requests;
    row.seen.bytes -= row.in_flight.bytes;
    row.in_flight = {};
    return {kernel, row};
}

void subtract(RuleReading& reading, const Baseline& baseline) {
    const auto less = [](auto& from, const auto& what) {
        auto* cells = reinterpret_cast<__u64*>(&from);
        const auto* taken = reinterpret_cast<const __u64*>(&what);
        for (std::size_t i = 0; i < sizeof(from) / sizeof(__u64); ++i) cells[i] -= taken[i];
    };
    less(reading.kernel, baseline.kernel);
    less(reading.row, baseline.row);
}

bool is_zero(const umbra_ledger_row& row) { return all_zero(row); }
bool is_zero(const umbra_rule_counters& kernel) { return all_zero(kernel); }

void add(umbra_ledger_row& sum, const umbra_ledger_row& row) {
    auto* to = reinterpret_cast<__u64*>(&sum);
    const auto from = cells(row);
    for (std::size_t i = 0; i < from.size(); ++i) to[i] += from[i];
}

void settle_dead(umbra_ledger_row& row) { settle_in_flight(row, Reason::shutdown); }

LedgerVerdict close_ledger(const LedgerReading& reading) {
    LedgerVerdict verdict;
    verdict.cloned = reading.forgotten_clones;
    for (const RuleReading& rule : reading.rules) {
        verdict.cloned += rule.kernel.cloned.bytes;
        judge_rule(rule, verdict.imbalances);
    }
    verdict.in_queue = static_cast<std::int64_t>(verdict.cloned - reading.captured) - reading.unreported;
    if (verdict.in_queue < 0 || static_cast<std::uint64_t>(verdict.in_queue) > reading.queue_capacity) {
        verdict.imbalances.push_back("capture: cloned " + std::to_string(verdict.cloned) + ", captured " +
                                     std::to_string(reading.captured) + ", unreported " +
                                     std::to_string(reading.unreported) + ", the queues hold at most " +
                                     std::to_string(reading.queue_capacity));
    }
    verdict.closes = verdict.imbalances.empty();
    return verdict;
}

}  // namespace umbra::agent
