// TargetGuard: where copies may go at all, whatever a rule names: who may write a rule or a pod's address must not be
// able to reach what only this host can. Judged for every endpoint of a mirror whenever a plan is compiled.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "net/ip_address.h"

namespace umbra::rules {

struct TargetGuard {
    std::vector<IpPrefix> allowed;  // addresses that are no targets by themselves, and are here
    std::vector<IpPrefix> only;     // if there are any, nothing outside is a target
    std::vector<Endpoint> own;      // where the agent itself listens; never a target

    // What the endpoint is that it gets no copies; empty: it may get them. A loopback address is a target for a
    // destination that is on loopback itself.
    std::string refuses(const Endpoint& endpoint, bool loopback_destination) const;
};

bool is_loopback(const IpAddress& address);

// Address blocks as they are written on the command line.
Result<TargetGuard> target_guard(const std::vector<std::string>& allowed, const std::vector<std::string>& only);

}  // namespace umbra::rules
