// Keyed hash of a flow's tuple: with a secret seed, clients cannot choose tuples that share a bucket.
#pragma once

#include <cstdint>

#include "net/ip_address.h"

namespace umbra {

std::uint64_t tuple_hash(const FlowTuple& tuple, std::uint64_t seed);

}  // namespace umbra
