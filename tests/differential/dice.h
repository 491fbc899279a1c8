// Random choices, the same on every machine for a seed.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace umbra::differential {

class Dice {
public:
    explicit Dice(std::uint64_t seed) : random_(seed) {}

    // low <= result <= high
    int between(int low, int high) {
        return low + static_cast<int>(random_() % static_cast<std::uint64_t>(high - low + 1));
    }
    bool chance(int percent) { return between(1, 100) <= percent; }
    template <class T>
    const T& one_of(const std::vector<T>& choices) {
        return choices[static_cast<std::size_t>(between(0, static_cast<int>(choices.size()) - 1))];
    }
    int bits() { return static_cast<int>(static_cast<std::uint32_t>(random_())); }

private:
    std::mt19937_64 random_;
};

}  // namespace umbra::differential
