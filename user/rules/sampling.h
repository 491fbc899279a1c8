// Which flows and requests a mirror's percentage takes: all by one threshold over hashes of 32 bits with the rule's
// seed. Nothing is remembered, so the choice is the same after a restart, and a smaller percentage takes a part of
// what a larger one of the same rule takes. Flows are hashed as the BPF program hashes them.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "net/ip_address.h"
#include "rules/plan.h"

namespace umbra::rules {

inline constexpr std::uint64_t kEverything = std::uint64_t{1} << 32;

// Of the rule's key.
std::uint32_t sampling_seed(std::string_view key);
// A hash below it is taken: 0 takes none, kEverything all.
std::uint64_t sampling_threshold(double percent);
// Which flows the kernel must clone for a rule: those of its largest mirror by flows, all if one counts requests.
std::uint64_t kernel_threshold(const PlanRule& rule);

using HeaderViews = std::vector<std::pair<std::string_view, std::string_view>>;

std::uint32_t flow_sample(const FlowTuple& flow, std::uint32_t seed);
// number: of the request, counted by whoever samples.
std::uint32_t request_sample(const FlowTuple& flow, std::uint32_t seed, std::uint64_t number);
// All values of that name, in order; none is a value of its own. name: lower case.
std::uint32_t header_sample(const HeaderViews& headers, std::string_view name, std::uint32_t seed);

// GET, HEAD, OPTIONS, TRACE: methods that ask for no change (RFC 9110, 9.2.1).
bool is_safe_method(std::string_view method);

}  // namespace umbra::rules
