// Closes an account whose holder is gone: what it had seen and neither mirrored nor dropped is dropped for one reason.
#pragma once

#include "base/ledger.h"

namespace umbra {

// The sum of what was mirrored and dropped.
std::uint64_t settled_units(const umbra_ledger_row& row, Unit unit);

// Nothing writes the row meanwhile. Where the holder ended between two writes that belong together, what is accounted
// for counts as seen.
void settle_in_flight(umbra_ledger_row& row, Reason reason);

}  // namespace umbra
