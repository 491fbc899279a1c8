#include "replay/target_table.h"

#include <algorithm>

namespace umbra {

namespace {

constexpr TimeNs kForgetAfter = 2 * kSecond;

// The next comparison then ends at the pointer.
bool has_settings(Target& target, const std::shared_ptr<const rules::MirrorSettings>& settings) {
    if (target.settings == settings) return true;
    if (*target.settings != *settings) return false;
    target.settings = settings;
    return true;
}

}  // namespace

TargetRef TargetTable::find(const Choice& choice, Target* latest) {
    const auto& endpoints = choice.target->endpoints;
    if (latest && latest->endpoints == endpoints && has_settings(*latest, choice.settings)) return TargetRef(latest);
    Targets& alike = targets_[endpoints];
    for (const auto& target : alike) {
        if (!has_settings(*target, choice.settings)) continue;
        target->unused_since = 0;
        return TargetRef(target.get());
    }
    alike.push_back(std::make_unique<Target>(endpoints, choice.settings, limits_, bucket_));
    return TargetRef(alike.back().get());
}

Breaker& TargetTable::breaker(const Endpoint& endpoint) {
    return breakers_.try_emplace(endpoint, limits_).first->second;
}

void TargetTable::serve_waiting() {
    for (const auto& [endpoints, alike] : targets_) {
        for (const auto& target : alike) target->pool.serve();
    }
}

void TargetTable::close_idle() {
    for (const auto& [endpoints, alike] : targets_) {
        for (const auto& target : alike) target->pool.close_idle();
    }
}

void TargetTable::purge(TimeNs now) {
    std::size_t removed = 0;
    for (auto& [endpoints, alike] : targets_) {
        removed += std::erase_if(alike, [now](const auto& target) {
            if (target->users > 0) {
                target->unused_since = 0;
            } else if (target->unused_since == 0) {
                target->unused_since = now;
            }
            return target->users == 0 && now - target->unused_since > kForgetAfter;
        });
    }
    if (removed == 0) return;
    std::erase_if(targets_, [](const auto& entry) { return entry.second.empty(); });
    std::erase_if(breakers_, [this](const auto& entry) {
        return std::none_of(targets_.begin(), targets_.end(), [&](const auto& alike) {
            return std::find(alike.first.begin(), alike.first.end(), entry.first) != alike.first.end();
        });
    });
}

}  // namespace umbra
