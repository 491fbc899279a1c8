// The ledger's totals as lines of the log, for who ends and leaves its work to another.
#pragma once

#include "agent/ledger_close.h"

namespace umbra::agent {

void log_totals(const LedgerReading& reading);

}  // namespace umbra::agent
