// In which order the endpoints of a mirror are tried for a request that needs a connection.
#pragma once

#include <cstdint>
#include <vector>

#include "net/ip_address.h"
#include "replay/target.h"

namespace umbra {

// Places in target.endpoints, all of them, the preferred first. Moves the round-robin position.
void endpoint_order(Target& target, const IpAddress& client, std::vector<std::uint32_t>& order);

// Rendezvous hashing: a client goes to the endpoint with the highest weight. Depends on the two addresses alone, so
// other endpoints that come and go move no client but their own. The same in every process.
std::uint64_t rendezvous_weight(const IpAddress& client, const Endpoint& endpoint);

}  // namespace umbra
