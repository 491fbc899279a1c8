// GenerationMaps: the live rules in the kernel. A new generation's inner maps are filled aside and made live by one
// write; a packet sees one generation from its first look-up to its last. Whatever fails leaves the live one as it is.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loader/attach_planner.h"
#include "loader/rule_slots.h"
#include "loader/skeleton.h"
#include "rules/plan.h"

#include "umbra/abi/rule.h"

namespace umbra::loader {

struct SourceEntry {
    std::uint32_t slot = 0;
    IpPrefix prefix;
};

// What one generation's maps hold, as values.
struct GenerationContent {
    std::map<Endpoint, umbra_match> endpoints;
    std::map<std::uint32_t, umbra_rule> rules;  // by slot
    std::vector<SourceEntry> sources;
};

// Endpoints without a placement (remote ones) are left out. halvings: as in CloneShare.
Result<GenerationContent> compile_generation(const rules::Plan& plan, const RuleSlots& slots,
                                             const std::map<Endpoint, Placement>& placements, unsigned halvings = 0);

class GenerationMaps {
public:
    explicit GenerationMaps(const Skeleton& skeleton) : skeleton_(skeleton) {}

    Result<void> write(const GenerationContent& content);
    // The same in three steps: the first can be repeated, the second is one write that waits for nothing, the third
    // lets go of what packets used before.
    Result<void> prepare(const GenerationContent& content);
    Result<void> go_live();
    void clean_up();

private:
    struct InnerMaps {
        UniqueFd ports, endpoints, rules, sources;
    };
    Result<InnerMaps> fill(const GenerationContent& content) const;
    Result<void> place(const InnerMaps& maps, std::uint32_t index) const;
    std::uint32_t next() const;

    const Skeleton& skeleton_;
    std::uint32_t live_ = 0;
    std::uint32_t previous_ = 0;
    std::optional<InnerMaps> prepared_;
};

}  // namespace umbra::loader
