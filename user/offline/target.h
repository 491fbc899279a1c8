// The target of a replay: "HOST:PORT" with a name, an IPv4 address or an IPv6 address in brackets -> addresses.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "net/ip_address.h"

namespace umbra::offline {

// Sorted; never empty. Asks the system's resolver for names.
Result<std::vector<Endpoint>> resolve_target(const std::string& text);

}  // namespace umbra::offline
