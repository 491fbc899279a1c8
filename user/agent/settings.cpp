#include "agent/settings.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/random.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>

#include "base/limit_value.h"
#include "loader/kernel_limits.h"

namespace umbra::agent {

namespace {

std::vector<IpAddress> addresses_of_this_host() {
    std::vector<IpAddress> found;
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) return found;
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(first, &::freeifaddrs);
    for (const ifaddrs* entry = first; entry; entry = entry->ifa_next) {
        if (!entry->ifa_addr) continue;
        if (entry->ifa_addr->sa_family == AF_INET) {
            const auto& address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
            found.push_back(IpAddress::v4(reinterpret_cast<const std::uint8_t*>(&address)));
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            const auto& address = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr;
            found.push_back(IpAddress::v6(address.s6_addr));
        }
    }
    return found;
}

// Where an exporter that listens there can be reached.
std::vector<Endpoint> own_endpoints(const std::string& metrics) {
    const auto listening = Endpoint::parse(metrics);
    if (!listening) return {};
    std::vector<Endpoint> own{*listening};
    const bool everywhere = listening->address == IpAddress::parse("0.0.0.0") || listening->address == IpAddress{};
    if (!everywhere) return own;
    for (const auto& address : addresses_of_this_host()) own.push_back({address, listening->port});
    return own;
}

rules::LoadOutcome merged(const std::vector<std::string>& files, const CarriedDocuments& carried,
                          const RuleStore& store) {
    rules::Diagnostics unreadable, ignored;
    auto sources = rules::read_sources(files, unreadable);
    if (unreadable.has_errors()) return {{}, {}, unreadable.take(), false};
    std::set<rules::ObjectKey> renewed;
    for (const auto& source : sources) {
        for (const auto& object : rules::decode_objects(source, ignored)) renewed.insert(object.key);
    }
    for (const auto& document : carried) {
        if (!renewed.contains(document.key)) sources.push_back(document.source);
    }
    auto outcome = store.propose(sources);
    auto found = unreadable.take();
    outcome.diagnostics.insert(outcome.diagnostics.begin(), found.begin(), found.end());
    return outcome;
}

bool is_kernel_limit(const std::string& assignment) {
    return loader::is_kernel_limit(split_assignment(assignment).name);
}

}  // namespace

Result<loader::DatapathOptions> datapath_options(const AgentOptions& options) {
    loader::DatapathOptions datapath;
    datapath.workers = options.workers;
    datapath.mode = options.attach;
    datapath.ifaces = options.ifaces;
    for (const auto& assignment : options.limits) {
        if (!is_kernel_limit(assignment)) continue;
        if (auto set = loader::set_kernel_limit(datapath, assignment); !set) return set.error();
    }
    return datapath;
}

Result<TerminatorSettings> terminator_settings(const AgentOptions& options, std::uint32_t queue_length) {
    TerminatorSettings settings;
    settings.limits = default_limits(options.workers);
    for (const auto& assignment : options.limits) {
        if (is_kernel_limit(assignment)) continue;
        if (auto set = set_limit(settings.limits, assignment); !set) return set.error();
    }
    for (const auto& assignment : options.forced)
        if (auto forced = force_limit(settings.limits, assignment); !forced) return forced.error();
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

Result<RuleStore> load_rules(const AgentOptions& options, const CarriedDocuments& carried) {
    auto targets = rules::target_guard(options.allow_targets, options.only_targets);
    if (!targets) return targets.error();
    targets->own = own_endpoints(options.metrics);
    RuleStore store(options.node, std::move(*targets));
    if (options.files.empty() && carried.empty()) return store;
    auto outcome = carried.empty() ? store.propose_files(options.files) : merged(options.files, carried, store);
    const std::string findings = rules::print_diagnostics(outcome.diagnostics);
    std::fputs(findings.c_str(), stderr);
    if (!outcome.ok) return Error{ErrorCode::invalid_rules, "start, agent: the rules are not valid"};
    store.accept(std::move(outcome));
    return store;
}

}  // namespace umbra::agent
