// LimitTable: every limit of the terminator by name: its value, what happens past it, and the switch that forces it.
// The command line sets them, `umbra limits` and status print them. "NAME=VALUE"; sizes take k, M or G (of 1024), times
// need ms, s or m. No limit can be switched off.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/exception_row.h"
#include "base/result.h"
#include "protocol/limits.h"
#include "reassembly/limits.h"
#include "replay/limits.h"

namespace umbra {

struct TerminatorLimits {
    ReassemblyLimits reassembly;
    ReplayLimits replay;
    ProtocolLimits protocol;
};

// Shares what is meant for the whole process among its workers.
TerminatorLimits default_limits(unsigned workers);
bool is_limit(std::string_view name);
Result<void> set_limit(TerminatorLimits& limits, std::string_view assignment);
// "NAME" or "NAME=N": the limit acts as reached at every check, or every N-th. Limits of time have no such switch.
Result<void> force_limit(TerminatorLimits& limits, std::string_view assignment);
std::vector<ExceptionRow> list_limits(const TerminatorLimits& limits);
// What cannot be set: limits of a MirrorPolicy, and fixed ones.
std::vector<ExceptionRow> list_other_limits();

}  // namespace umbra
