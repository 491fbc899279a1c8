#include "agent/settings.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdio>

namespace umbra::agent {

Result<TerminatorSettings> terminator_settings(const AgentOptions& options, std::uint32_t queue_length) {
    TerminatorSettings settings;
    settings.limits = default_limits(options.workers);
    for (const auto& assignment : options.limits)
        if (auto set = set_limit(settings.limits, assignment); !set) return set.error();
    if (!options.inject_loss.empty()) {
        const auto loss = parse_injected_loss(options.inject_loss);
        if (!loss) return loss.error();
        settings.injected_loss = *loss;
    }
    settings.queue_length = queue_length;
    settings.one_sided = options.one_sided;
    settings.identity = terminator_identity();
    std::uint64_t seed = 0;
    if (::getrandom(&seed, sizeof(seed), 0) == sizeof(seed)) settings.limits.reassembly.hash_seed = seed;
    return settings;
}

Result<TripSettings> trip_settings(const AgentOptions& options, const TerminatorSettings& terminator) {
    TripSettings settings;
    const auto& limits = terminator.limits;
    const double allowed =
        static_cast<double>(limits.reassembly.memory + limits.replay.total_queue_bytes) * options.workers;
    auto& memory = settings.thresholds[static_cast<std::size_t>(Pressure::memory)];
    memory = std::max(memory.value_or(0), 2 * allowed);
    for (const auto& assignment : options.trip)
        if (auto set = set_trip(settings, assignment); !set) return set.error();
    return settings;
}

Result<RuleStore> load_rules(const std::vector<std::string>& files, const std::string& node) {
    RuleStore store(node);
    if (files.empty()) return store;
    auto outcome = store.propose_files(files);
    const std::string findings = rules::print_diagnostics(outcome.diagnostics);
    std::fputs(findings.c_str(), stderr);
    if (!outcome.ok) return Error{ErrorCode::invalid_rules, "start, agent: the rules are not valid"};
    store.accept(std::move(outcome));
    return store;
}

}  // namespace umbra::agent
