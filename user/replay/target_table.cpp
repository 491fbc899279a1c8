#include "replay/target_table.h"

#include <algorithm>

namespace umbra {

bool Target::contains(const Endpoint& endpoint) const {
    return std::find(endpoints.begin(), endpoints.end(), endpoint) != endpoints.end();
}

TargetRef TargetTable::find(const std::vector<Endpoint>& endpoints, Target* latest) {
    if (latest && latest->endpoints == endpoints) return TargetRef(latest);
    auto& slot = targets_[endpoints];
    if (!slot) {
        slot = std::make_unique<Target>();
        slot->endpoints = endpoints;
    }
    return TargetRef(slot.get());
}

Breaker& TargetTable::breaker(const Endpoint& endpoint) {
    return breakers_.try_emplace(endpoint, limits_).first->second;
}

void TargetTable::purge() {
    const std::size_t removed = std::erase_if(targets_, [](const auto& entry) { return entry.second->users == 0; });
    if (removed == 0) return;
    std::erase_if(breakers_, [this](const auto& entry) {
        return std::none_of(targets_.begin(), targets_.end(),
                            [&](const auto& target) { return target.second->contains(entry.first); });
    });
}

}  // namespace umbra
