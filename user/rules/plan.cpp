#include "rules/plan.h"

#include <algorithm>

namespace umbra::rules {

const MirrorTarget* PlanRule::live_target(std::uint16_t service_port) const {
    if (!has_mirror) return nullptr;
    const auto found =
        std::lower_bound(targets.begin(), targets.end(), service_port,
                         [](const MirrorTarget& t, std::uint16_t port) { return t.service_port < port; });
    const bool live = found != targets.end() && found->service_port == service_port && !found->endpoints.empty();
    return live ? &*found : nullptr;
}

const PlanOrigin* Plan::find_origin(const Endpoint& endpoint) const {
    const auto found =
        std::lower_bound(origins.begin(), origins.end(), endpoint,
                         [](const PlanOrigin& origin, const Endpoint& key) { return origin.endpoint < key; });
    return found == origins.end() || found->endpoint != endpoint ? nullptr : &*found;
}

}  // namespace umbra::rules
