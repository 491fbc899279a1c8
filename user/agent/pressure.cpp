#include "agent/pressure.h"

#include <charconv>
#include <vector>

#include "base/ledger.h"

namespace umbra::agent {

namespace {

// Where the mirror failed, or could not keep up. Not: limits of a policy, which are somebody's wish.
constexpr Reason kMirrorErrors[] = {Reason::connect_refused,  Reason::connect_timeout,  Reason::connect_failed,
                                    Reason::breaker_open,     Reason::flow_queue,       Reason::total_queue,
                                    Reason::mirror_closed,    Reason::mirror_reset,     Reason::connection_limit,
                                    Reason::response_timeout, Reason::response_invalid, Reason::mirror_refused,
                                    Reason::tls_failed};

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> found;
    while (true) {
        const auto begin = text.find_first_not_of(" \n");
        if (begin == std::string_view::npos) return found;
        text.remove_prefix(begin);
        const auto end = std::min(text.find_first_of(" \n"), text.size());
        found.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

std::optional<std::uint64_t> number(std::string_view word, int base) {
    std::uint64_t value = 0;
    const auto [rest, failure] = std::from_chars(word.data(), word.data() + word.size(), value, base);
    if (failure != std::errc{} || rest != word.data() + word.size()) return std::nullopt;
    return value;
}

std::uint64_t grown(std::uint64_t before, std::uint64_t now) { return now > before ? now - before : 0; }

std::optional<double> cpu_share(const Observation& before, const Observation& now, const Machine& machine) {
    const double seconds = static_cast<double>(now.at - before.at) / static_cast<double>(kSecond);
    if (seconds <= 0 || now.cpu_ticks.empty()) return std::nullopt;
    std::uint64_t ticks = 0;
    for (const auto& [pid, spent] : now.cpu_ticks) {
        const auto known = before.cpu_ticks.find(pid);
        ticks += grown(known == before.cpu_ticks.end() ? 0 : known->second, spent);
    }
    return static_cast<double>(ticks) / machine.ticks_per_second / machine.cpus / seconds;
}

// Of what happened in a second; nothing if that was too little.
std::optional<double> share(std::uint64_t part, std::uint64_t whole, double seconds, double volume) {
    if (whole == 0 || static_cast<double>(whole) < volume * seconds) return std::nullopt;
    return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::optional<std::uint64_t> parse_cpu_ticks(std::string_view stat) {
    constexpr std::size_t kUser = 11, kSystem = 12;  // counted from the state, behind the name in parentheses
    const auto name_end = stat.rfind(')');
    if (name_end == std::string_view::npos) return std::nullopt;
    const auto fields = words(stat.substr(name_end + 1));
    if (fields.size() <= kSystem) return std::nullopt;
    const auto user = number(fields[kUser], 10), system = number(fields[kSystem], 10);
    if (!user || !system) return std::nullopt;
    return *user + *system;
}

std::optional<std::uint64_t> parse_softnet(std::string_view text) {
    constexpr std::size_t kDropped = 1, kSqueezed = 2;
    if (text.empty()) return std::nullopt;
    std::uint64_t sum = 0;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto fields = words(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (fields.empty()) continue;
        if (fields.size() <= kSqueezed) return std::nullopt;
        const auto dropped = number(fields[kDropped], 16), squeezed = number(fields[kSqueezed], 16);
        if (!dropped || !squeezed) return std::nullopt;
        sum += *dropped + *squeezed;
    }
    return sum;
}

TrafficCounts count_traffic(const LedgerReading& reading, std::uint64_t injected) {
    TrafficCounts counts;
    counts.lost = injected;
    for (const RuleReading& rule : reading.rules) {
        const auto& dropped = rule.kernel.dropped;
        const std::uint64_t not_cloned = dropped.queue_full.packets + dropped.clone_failed.packets;
        counts.taken += rule.kernel.cloned.packets + not_cloned + rule.kernel.server.packets;
        counts.lost += not_cloned + dropped.ring_full.packets;
        std::uint64_t errors = 0;
        for (const Reason reason : kMirrorErrors) errors += dropped_units(rule.row, reason).requests;
        counts.mirror_errors += errors;
        counts.finished += rule.row.mirrored.requests + errors;
    }
    return counts;
}

PressureValues pressure_between(const Observation& before, const Observation& now, const Machine& machine,
                                double volume) {
    PressureValues values;
    const auto value = [&](Pressure pressure) -> std::optional<double>& {
        return values[static_cast<std::size_t>(pressure)];
    };
    const double seconds = static_cast<double>(now.at - before.at) / static_cast<double>(kSecond);
    value(Pressure::cpu) = cpu_share(before, now, machine);
    if (now.resident_bytes) value(Pressure::memory) = static_cast<double>(*now.resident_bytes);
    if (seconds <= 0) return values;
    if (before.softnet && now.softnet)
        value(Pressure::softnet) = static_cast<double>(grown(*before.softnet, *now.softnet)) / seconds;
    if (before.traffic && now.traffic) {
        const TrafficCounts &old = *before.traffic, &fresh = *now.traffic;
        value(Pressure::capture_loss) =
            share(grown(old.lost, fresh.lost), grown(old.taken, fresh.taken), seconds, volume);
        value(Pressure::mirror_errors) =
            share(grown(old.mirror_errors, fresh.mirror_errors), grown(old.finished, fresh.finished), seconds, volume);
    }
    return values;
}

}  // namespace umbra::agent
