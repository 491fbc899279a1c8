// HandOver: what lies between the kernel's clones and the workers' captures: is it still in a queue, or will it never
// come? The clone's result does not always tell:
//   - The kernel cuts some super-segments for the capture device and reports the last piece's fate for the whole.
//     Pieces that found no room were counted as cloned, pieces that did were counted as queue_full.
//   - A worker that was killed takes along the packet that it had read and not counted.
// The flows notice the first by the hole, and the second ends all flows of that worker; here the account is put right.
// Nothing else may explain a difference.
#pragma once

#include <cstdint>

namespace umbra::agent {

class HandOver {
public:
    // The account at one moment.
    struct Look {
        std::uint64_t cloned = 0;  // payload bytes
        std::uint64_t captured = 0;
        bool queues_empty = false;

        std::int64_t difference() const { return static_cast<std::int64_t>(cloned - captured); }
        bool operator==(const Look&) const = default;
    };

    // Two looks with a pause between, longer than a worker takes from reading a packet to counting it. If nothing moved
    // and the queues were empty, the difference will not come. A wrong conclusion (the worker was not running) is put
    // right by the next one.
    void settle(const Look& before, const Look& after) {
        if (before == after && after.queues_empty) unreported_ = after.difference();
    }

    // Cloned and never captured; negative: captured and not counted as cloned.
    std::int64_t unreported() const { return unreported_; }

private:
    std::int64_t unreported_ = 0;
};

}  // namespace umbra::agent
