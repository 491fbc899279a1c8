#include "agent/final_totals.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/ledger.h"

namespace umbra::agent {

namespace {

std::string print(const umbra_units& units) {
    return fmt::format("{}/{}/{}", units.flows, units.requests, units.bytes);
}

std::string print_dropped(const umbra_ledger_row& row) {
    std::string text;
    for (unsigned i = 0; i < UMBRA_REASON_COUNT; ++i) {
        const auto reason = static_cast<Reason>(i);
        const umbra_units& units = dropped_units(row, reason);
        if (units.flows == 0 && units.requests == 0 && units.bytes == 0) continue;
        text += fmt::format("{}{}:{}", text.empty() ? "" : ",", reason_name(reason), print(units));
    }
    return text.empty() ? "none" : text;
}

}  // namespace

void log_totals(const LedgerReading& reading) {
    for (const RuleReading& rule : reading.rules) {
        if (is_zero(rule.row) && is_zero(rule.kernel)) continue;
        spdlog::info("totals rule={} flows/requests/bytes seen={} mirrored={} dropped={} in_flight={}", rule.rule,
                     print(rule.row.seen), print(rule.row.mirrored), print_dropped(rule.row),
                     print(rule.row.in_flight));
    }
    const LedgerVerdict verdict = close_ledger(reading);
    spdlog::info("totals closes={} cloned={} captured={} unreported={}", verdict.closes, verdict.cloned,
                 reading.captured, reading.unreported);
    for (const std::string& imbalance : verdict.imbalances) spdlog::error("the ledger does not close: {}", imbalance);
}

}  // namespace umbra::agent
