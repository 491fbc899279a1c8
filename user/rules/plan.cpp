#include "rules/plan.h"

#include <algorithm>

namespace umbra::rules {

const MirrorTarget* PlanMirror::live_target(std::uint16_t service_port) const {
    const auto found =
        std::lower_bound(targets.begin(), targets.end(), service_port,
                         [](const MirrorTarget& t, std::uint16_t port) { return t.service_port < port; });
    const bool live = found != targets.end() && found->service_port == service_port && !found->endpoints.empty();
    return live ? &*found : nullptr;
}

bool PlanRule::is_live_at(std::uint16_t service_port) const {
    return std::any_of(mirrors.begin(), mirrors.end(),
                       [&](const PlanMirror& mirror) { return mirror.live_target(service_port) != nullptr; });
}

bool PlanRule::is_stand_in() const {
    return key.size() > kStandInSuffix.size() &&
           std::string_view(key).substr(key.size() - kStandInSuffix.size()) == kStandInSuffix;
}

std::string PlanRule::slot_key(std::size_t mirror) const {
    return mirror == 0 ? key : key + "#" + std::to_string(mirror + 1);
}

std::vector<std::string> slot_keys(const Plan& plan) {
    std::vector<std::string> keys;
    keys.reserve(plan.rules.size());
    for (const auto& rule : plan.rules) {
        for (std::size_t i = 0; i < rule.slot_count(); ++i) keys.push_back(rule.slot_key(i));
    }
    return keys;
}

const PlanOrigin* Plan::find_origin(const Endpoint& endpoint) const {
    const auto found =
        std::lower_bound(origins.begin(), origins.end(), endpoint,
                         [](const PlanOrigin& origin, const Endpoint& key) { return origin.endpoint < key; });
    return found == origins.end() || found->endpoint != endpoint ? nullptr : &*found;
}

}  // namespace umbra::rules
