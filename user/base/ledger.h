// The user-space ledger: where the stages write what they saw, mirrored and dropped. One LedgerRow per rule and
// worker, normally memory of the BPF map umbra_ledger, so that bpftool sees it; in tests, ordinary memory.
// One thread writes a row, other processes read it: every write is a relaxed atomic store.
#pragma once

#include <atomic>
#include <cstdint>

#include "umbra/abi/counters.h"

namespace umbra {

enum class Reason : std::uint8_t {
#define UMBRA_REASON_NAME(name, text) name,
    UMBRA_REASONS(UMBRA_REASON_NAME)
#undef UMBRA_REASON_NAME
};

const char* reason_name(Reason reason);
const char* reason_text(Reason reason);

inline void bump(__u64& counter, std::uint64_t by = 1) {
    std::atomic_ref<__u64> cell(counter);
    cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}
inline void drop_gauge(__u64& gauge, std::uint64_t by = 1) { bump(gauge, ~by + 1); }

// Units are flows, requests and bytes: pass e.g. &umbra_units::bytes.
using Unit = __u64 umbra_units::*;

inline umbra_units& dropped_units(umbra_ledger_row& row, Reason reason) {
    return reinterpret_cast<umbra_units*>(&row.dropped)[static_cast<unsigned>(reason)];
}
inline const umbra_units& dropped_units(const umbra_ledger_row& row, Reason reason) {
    return reinterpret_cast<const umbra_units*>(&row.dropped)[static_cast<unsigned>(reason)];
}

// Entry: something new was seen; it is in flight until it is mirrored or dropped.
inline void ledger_seen(umbra_ledger_row& row, Unit unit, std::uint64_t n = 1) {
    bump(row.seen.*unit, n);
    bump(row.in_flight.*unit, n);
}
inline void ledger_mirrored(umbra_ledger_row& row, Unit unit, std::uint64_t n = 1) {
    bump(row.mirrored.*unit, n);
    drop_gauge(row.in_flight.*unit, n);
}
inline void ledger_dropped(umbra_ledger_row& row, Reason reason, Unit unit, std::uint64_t n = 1) {
    bump(dropped_units(row, reason).*unit, n);
    drop_gauge(row.in_flight.*unit, n);
}

}  // namespace umbra
