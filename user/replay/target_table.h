// TargetTable: the mirrors in use, kept as values so that a new plan can replace the old one at any time, and the
// breaker of each endpoint.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "replay/breaker.h"
#include "replay/router.h"
#include "replay/target.h"

namespace umbra {

class TargetTable {
public:
    explicit TargetTable(const ReplayLimits& limits) : limits_(limits), bucket_(limits.bandwidth) {}

    // By endpoints and settings, both compared by value. choice.target is not null.
    // latest: the target used last, which is most likely the same.
    TargetRef find(const Choice& choice, Target* latest);
    Breaker& breaker(const Endpoint& endpoint);
    // Lets requests go on that wait for a connection, or finds that they waited too long.
    void serve_waiting();
    void close_idle();
    // Forgets targets that nobody used for a while, longer than a token bucket remembers, and breakers of endpoints
    // that no target has.
    void purge(TimeNs now);

private:
    using Targets = std::vector<std::unique_ptr<Target>>;  // same endpoints, different settings

    const ReplayLimits& limits_;
    TokenBucket bucket_;  // of all mirrors
    std::map<std::vector<Endpoint>, Targets> targets_;
    std::unordered_map<Endpoint, Breaker> breakers_;
};

}  // namespace umbra
