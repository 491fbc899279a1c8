// RecentSyns: the SYNs without data that were read lately. A server that acknowledged such a SYN took no data with it,
// whatever another SYN of the same tuple brings. A cache of fixed size: under a flood of SYNs it forgets, never lies
// but for a hash that collides, which costs Fast Open data only.
#pragma once

#include <cstdint>
#include <vector>

namespace umbra {

class RecentSyns {
public:
    // first: the client's first byte, one behind the SYN.
    void note(std::uint64_t tuple_hash, std::uint32_t first) { slot(tuple_hash, first) = mark(tuple_hash, first); }
    bool seen(std::uint64_t tuple_hash, std::uint32_t first) {
        return slot(tuple_hash, first) == mark(tuple_hash, first);
    }

private:
    static constexpr std::size_t kSlots = 8192;

    static std::uint64_t mark(std::uint64_t tuple_hash, std::uint32_t first) {
        return (tuple_hash ^ first * 0x9e3779b97f4a7c15ULL) | 1;
    }
    std::uint64_t& slot(std::uint64_t tuple_hash, std::uint32_t first) {
        return slots_[(mark(tuple_hash, first) >> 32) % kSlots];
    }

    std::vector<std::uint64_t> slots_ = std::vector<std::uint64_t>(kSlots);
};

}  // namespace umbra
