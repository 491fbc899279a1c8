// RuleSlots: which counter slot each rule, and each further mirror of a rule, has; keys are rules::slot_keys(). A key
// keeps its slot as long as it lives, and gets it back when it returns; a removed one's slot is given to another only
// when no unused one is left. A value: copy it to try.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace umbra::loader {

class RuleSlots {
public:
    // Exactly these keys live from now on. Returns the slots that changed hands: what they have
    // counted so far is not the new owner's.
    Result<std::vector<std::uint32_t>> assign(const std::vector<std::string>& keys);
    std::optional<std::uint32_t> slot_of(const std::string& key) const;  // living keys only
    const std::map<std::string, std::uint32_t>& living() const { return living_; }

private:
    std::uint32_t take(std::vector<std::uint32_t>& reused);

    std::map<std::string, std::uint32_t> living_;
    std::map<std::string, std::uint32_t> retired_;
    std::uint32_t next_unused_ = 0;
};

}  // namespace umbra::loader
