#include "rules/sampling.h"

#include <strings.h>

#include <algorithm>
#include <cmath>

#include "umbra/abi/hash.h"

namespace umbra::rules {

namespace {

constexpr std::uint32_t kValueBegins = 256;  // no byte of a value

}  // namespace

// FNV-1a: the seed must be the same after a restart.
std::uint32_t sampling_seed(std::string_view key) {
    std::uint32_t hash = 2166136261u;
    for (const char c : key) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619u;
    return hash;
}

std::uint64_t sampling_threshold(double percent) {
    if (percent >= 100.0) return kEverything;
    if (!(percent > 0.0)) return 0;
    const double share = std::floor(percent / 100.0 * static_cast<double>(kEverything));
    return std::min(static_cast<std::uint64_t>(share), kEverything - 1);
}

std::uint64_t kernel_threshold(const PlanRule& rule) {
    std::uint64_t largest = 0;
    for (const auto& mirror : rule.mirrors) {
        auto threshold = sampling_threshold(mirror.percent);
        if (mirror.settings.sampling.by != Sampling::By::flow && threshold > 0) threshold = kEverything;
        largest = std::max(largest, threshold);
    }
    return largest;
}

std::uint32_t flow_sample(const FlowTuple& flow, std::uint32_t seed) {
    const umbra_tuple tuple = flow.to_key();
    return umbra_flow_hash(&tuple, seed);
}

std::uint32_t request_sample(const FlowTuple& flow, std::uint32_t seed, std::uint64_t number) {
    auto hash = umbra_hash_word(flow_sample(flow, seed), static_cast<std::uint32_t>(number));
    hash = umbra_hash_word(hash, static_cast<std::uint32_t>(number >> 32));
    return umbra_hash_finish(hash);
}

std::uint32_t header_sample(const HeaderViews& headers, std::string_view name, std::uint32_t seed) {
    auto hash = seed;
    for (const auto& [key, value] : headers) {
        if (key.size() != name.size() || ::strncasecmp(key.data(), name.data(), name.size()) != 0) continue;
        hash = umbra_hash_word(hash, kValueBegins);
        for (const char c : value) hash = umbra_hash_word(hash, static_cast<std::uint8_t>(c));
    }
    return umbra_hash_finish(hash);
}

bool is_safe_method(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE";
}

}  // namespace umbra::rules
