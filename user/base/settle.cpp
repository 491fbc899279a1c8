#include "base/settle.h"

namespace umbra {

namespace {

void set(__u64& counter, std::uint64_t value) {
    std::atomic_ref<__u64>(counter).store(value, std::memory_order_relaxed);
}

}  // namespace

std::uint64_t settled_units(const umbra_ledger_row& row, Unit unit) {
    std::uint64_t sum = row.mirrored.*unit;
    for (unsigned reason = 0; reason < UMBRA_REASON_COUNT; ++reason)
        sum += dropped_units(row, static_cast<Reason>(reason)).*unit;
    return sum;
}

void settle_in_flight(umbra_ledger_row& row, Reason reason) {
    for (const Unit unit : {&umbra_units::flows, &umbra_units::requests, &umbra_units::bytes}) {
        const std::uint64_t known = settled_units(row, unit);
        if (row.seen.*unit < known) set(row.seen.*unit, known);
        if (row.seen.*unit > known) bump(dropped_units(row, reason).*unit, row.seen.*unit - known);
        if (row.in_flight.*unit != 0) set(row.in_flight.*unit, 0);
    }
}

}  // namespace umbra
