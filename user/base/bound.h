// Bound: a limit that a number is held against, and the switch of tests that makes it act as reached (`umbra run
// --force`). A value: each worker has a copy, whose checks it counts alone. Without the switch a check costs one
// branch.
#pragma once

#include <cstddef>
#include <cstdint>

namespace umbra {

class Bound {
public:
    constexpr Bound(std::size_t most) : most_(most) {}  // NOLINT: a number is a bound
    constexpr Bound& operator=(std::size_t most) {      // the switch stays as it is
        most_ = most;
        return *this;
    }
    constexpr operator std::size_t() const { return most_; }  // NOLINT: and a bound is a number

    // Every check of this number acts as if the limit were reached; 0: none does.
    void force(std::uint32_t every) { every_ = every; }
    std::uint32_t forced_every() const { return every_; }

    // The checks. One of them per decision.
    bool exceeded_by(std::size_t count) const { return count > most_ || forced(); }
    bool forced() const { return every_ != 0 && fires(); }

private:
    bool fires() const { return ++checks_ % every_ == 0; }

    std::size_t most_;
    std::uint32_t every_ = 0;
    mutable std::uint32_t checks_ = 0;
};

}  // namespace umbra
