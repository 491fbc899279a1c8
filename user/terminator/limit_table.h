// LimitTable: every limit of the terminator by name, so that the command line can set it and status can print it.
// "NAME=VALUE"; sizes take k, M or G (of 1024), times need ms, s or m. No limit can be switched off.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "reassembly/limits.h"
#include "replay/limits.h"

namespace umbra {

struct TerminatorLimits {
    ReassemblyLimits reassembly;
    ReplayLimits replay;
};

struct LimitRow {
    std::string name;
    std::string value;  // in the form that set_limit() takes
    std::string meaning;
};

// Shares what is meant for the whole process among its workers.
TerminatorLimits default_limits(unsigned workers);
Result<void> set_limit(TerminatorLimits& limits, std::string_view assignment);
std::vector<LimitRow> list_limits(const TerminatorLimits& limits);

}  // namespace umbra
