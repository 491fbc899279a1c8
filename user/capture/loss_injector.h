// LossInjector: throws a share of the captured packets away on purpose, so that an operator (or a test) sees what a
// mirror gets when clones are lost. A decision only: who asks must count each loss as Reason::injected.
// Repeatable: the same seed and worker lose the same packets of the same sequence.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace umbra {

struct InjectedLoss {
    static constexpr std::uint32_t kWhole = 1'000'000;

    std::uint32_t per_million = 0;  // 0: none
    std::uint64_t seed = 1;
};

// "PERCENT[,SEED]": above 0, at most 100, with up to four decimals.
Result<InjectedLoss> parse_injected_loss(std::string_view text);

class LossInjector {
public:
    LossInjector(const InjectedLoss& loss, std::uint32_t worker)
        : per_million_(loss.per_million), state_(loss.seed * 0x9e3779b97f4a7c15u + worker) {}

    bool active() const { return per_million_ > 0; }
    bool next_is_lost() { return active() && draw() % InjectedLoss::kWhole < per_million_; }

private:
    // SplitMix64.
    std::uint64_t draw() {
        std::uint64_t value = state_ += 0x9e3779b97f4a7c15u;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
        value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
        return value ^ (value >> 31);
    }

    std::uint32_t per_million_;
    std::uint64_t state_;
};

}  // namespace umbra
