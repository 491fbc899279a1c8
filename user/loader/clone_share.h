// CloneShare: how much of what the rules would take is cloned: everything, a share of the flows, or nothing.
#pragma once

#include <cstdint>

namespace umbra::loader {

struct CloneShare {
    unsigned halvings = 0;  // the share is 1 / 2^halvings of the flows; whole ones, the same for all rules
    bool paused = false;    // nothing, and no program on any device

    friend bool operator==(const CloneShare&, const CloneShare&) = default;
    double value() const { return paused ? 0.0 : 1.0 / static_cast<double>(std::uint64_t{1} << halvings); }
};

}  // namespace umbra::loader
