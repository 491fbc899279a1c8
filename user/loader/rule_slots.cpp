#include "loader/rule_slots.h"

#include <set>

#include "umbra/abi/limits.h"

namespace umbra::loader {

Result<std::vector<std::uint32_t>> RuleSlots::assign(const std::vector<std::string>& keys) {
    const std::set<std::string> wanted(keys.begin(), keys.end());
    if (wanted.size() > UMBRA_MAX_RULES) {
        return Error{ErrorCode::invalid_rules,
                     "apply, " + std::to_string(wanted.size()) + " rules: only " + std::to_string(UMBRA_MAX_RULES) +
                         " are possible",
                     "remove rules, or spread services over several agents"};
    }
    for (auto it = living_.begin(); it != living_.end();) {
        if (wanted.contains(it->first)) {
            ++it;
            continue;
        }
        retired_.insert(living_.extract(it++));
    }
    // Returning rules first: a new one must not take the slot of one that comes back.
    for (const std::string& key : wanted) {
        if (auto back = retired_.extract(key)) living_.insert(std::move(back));
    }
    std::vector<std::uint32_t> reused;
    for (const std::string& key : wanted) {
        if (!living_.contains(key)) living_.emplace(key, take(reused));
    }
    return reused;
}

std::uint32_t RuleSlots::take(std::vector<std::uint32_t>& reused) {
    if (next_unused_ < UMBRA_MAX_RULES) return next_unused_++;
    const auto victim = retired_.begin();
    const std::uint32_t slot = victim->second;
    retired_.erase(victim);
    reused.push_back(slot);
    return slot;
}

std::optional<std::uint32_t> RuleSlots::slot_of(const std::string& key) const {
    const auto found = living_.find(key);
    if (found == living_.end()) return std::nullopt;
    return found->second;
}

}  // namespace umbra::loader
