#include "agent/report.h"
#include "base/ledger.h"
#include "rules/plan.h"

namespace umbra::agent {

namespace {

using control::Json;

constexpr const char* kKernelReasonNames[] = {
#define UMBRA_KERNEL_REASON_NAME(name, text) #name,
    UMBRA_KERNEL_REASONS(UMBRA_KERNEL_REASON_NAME)
#undef UMBRA_KERNEL_REASON_NAME
};

Json write(const umbra_count& count) { return {{"packets", count.packets}, {"bytes", count.bytes}}; }

Json write(const umbra_units& units) {
    return {{"flows", units.flows}, {"requests", units.requests}, {"bytes", units.bytes}};
}

Json write_kernel(const umbra_rule_counters& kernel) {
    Json dropped = Json::object();
    const auto* counts = reinterpret_cast<const umbra_count*>(&kernel.dropped);
    for (unsigned reason = 0; reason < UMBRA_KERNEL_REASON_COUNT; ++reason) {
        const umbra_count& count = counts[reason];
        if (count.packets != 0 || count.bytes != 0) dropped[kKernelReasonNames[reason]] = write(count);
    }
    return {{"seen", write(kernel.seen)},
            {"cloned", write(kernel.cloned)},
            {"server", write(kernel.server)},
            {"bare_acks", write(kernel.bare_acks)},
            {"dropped", std::move(dropped)}};
}

Json write_dropped(const umbra_ledger_row& row) {
    Json dropped = Json::object();
    for (unsigned i = 0; i < UMBRA_REASON_COUNT; ++i) {
        const auto reason = static_cast<Reason>(i);
        const umbra_units& units = dropped_units(row, reason);
        if (units.flows != 0 || units.requests != 0 || units.bytes != 0) dropped[reason_name(reason)] = write(units);
    }
    return dropped;
}

// Removed rules and stand-ins are of interest only when they counted something.
bool is_shown(const RuleReading& rule) {
    const bool stand_in = rule.rule.ends_with(rules::kStandInSuffix);
    return (!rule.removed && !stand_in) || !is_zero(rule.kernel) || !is_zero(rule.row);
}

Json write_rule(const RuleReading& rule) {
    Json out{{"rule", rule.rule}};
    if (rule.removed) out["removed"] = true;
    out["kernel"] = write_kernel(rule.kernel);
    out["seen"] = write(rule.row.seen);
    out["mirrored"] = write(rule.row.mirrored);
    out["dropped"] = write_dropped(rule.row);
    out["in_flight"] = write(rule.row.in_flight);
    return out;
}

}  // namespace

Json ledger_report(const LedgerReading& reading) {
    const LedgerVerdict verdict = close_ledger(reading);
    Json rules = Json::array();
    for (const RuleReading& rule : reading.rules) {
        if (is_shown(rule)) rules.push_back(write_rule(rule));
    }
    return {{"closes", verdict.closes},
            {"rules", std::move(rules)},
            {"capture",
             {{"cloned", verdict.cloned},
              {"captured", reading.captured},
              {"unreported", reading.unreported},
              {"in_queue", verdict.in_queue}}},
            {"imbalances", verdict.imbalances}};
}

}  // namespace umbra::agent
