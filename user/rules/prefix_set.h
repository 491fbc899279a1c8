// Sets of address prefixes as sorted vectors without overlap: one form for each set of addresses that was written.
#pragma once

#include <span>
#include <vector>

#include "net/ip_address.h"

namespace umbra::rules {

// Host bits cleared, prefixes inside of others removed, sorted.
std::vector<IpPrefix> normalized(std::vector<IpPrefix> prefixes);
// Of normalized sets.
std::vector<IpPrefix> intersection(std::span<const IpPrefix> a, std::span<const IpPrefix> b);
bool contains_all(std::span<const IpPrefix> outer, std::span<const IpPrefix> inner);
bool contains(std::span<const IpPrefix> prefixes, const IpAddress& address);

}  // namespace umbra::rules
