#include "agent/exceptions.h"

#include <algorithm>
#include <iterator>

#include "agent/clone_switch.h"
#include "agent/trip_settings.h"
#include "loader/kernel_limits.h"
#include "terminator/limit_table.h"

namespace umbra::agent {

namespace {

constexpr FixedLimit kLimits[] = {
    {"pause_reason", LimitKind::bytes, CloneSwitch::kMaxReason, Action::refuse_request, "error", "a longer reason",
     "the reason that `umbra pause` gives"},
};

// A threshold is reached at once when it is next to nothing.
std::vector<ExceptionRow> thresholds() {
    std::vector<ExceptionRow> rows;
    const TripSettings settings;
    const auto listed = list_trip(settings);
    for (std::size_t i = 0; i < kPressures; ++i) {
        const bool share = listed[i].value.ends_with('%') || listed[i].value == "off";
        rows.push_back({"trip_" + listed[i].name, listed[i].value, Action::lower_share, "status: trip",
                        "--trip " + listed[i].name + (share ? "=0.1%" : "=1"), listed[i].meaning});
    }
    return rows;
}

}  // namespace

std::vector<ExceptionRow> list_limits(unsigned workers) {
    auto rows = loader::list_kernel_limits({});
    for (auto&& more :
         {umbra::list_limits(default_limits(workers)), list_other_limits(), thresholds(), fixed_rows(kLimits)})
        std::ranges::copy(more, std::back_inserter(rows));
    return rows;
}

}  // namespace umbra::agent
