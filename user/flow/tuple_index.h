// TupleIndex: hash table from tuples to small numbers; the tuples stay with their owner. Open addressing with
// linear probing, grows to twice its size when half full, never shrinks. Full tuples are compared, hashes only choose.
#pragma once

#include <cstdint>
#include <vector>

#include "net/ip_address.h"

namespace umbra {

class TupleIndex {
public:
    static constexpr std::uint32_t kNone = 0xffffffff;
    static constexpr std::size_t kBytesPerTuple = 32;  // at a quarter of its capacity

    TupleIndex() : slots_(kFirstSize) {}

    // tuple_of(id) gives the tuple that was inserted as id.
    template <class TupleOf>
    std::uint32_t find(const FlowTuple& tuple, std::uint64_t hash, const TupleOf& tuple_of) const {
        for (std::size_t at = static_cast<std::uint32_t>(hash) & mask();; at = (at + 1) & mask()) {
            const Slot& slot = slots_[at];
            if (slot.id == kNone) return kNone;
            if (slot.hash == static_cast<std::uint32_t>(hash) && tuple_of(slot.id) == tuple) return slot.id;
        }
    }
    // The tuple is not in the index.
    void insert(std::uint64_t hash, std::uint32_t id);
    // The id was inserted with this hash.
    void erase(std::uint64_t hash, std::uint32_t id);
    std::size_t size() const { return size_; }

private:
    struct Slot {
        std::uint32_t hash = 0;
        std::uint32_t id = kNone;
    };
    static constexpr std::size_t kFirstSize = 256;

    std::size_t mask() const { return slots_.size() - 1; }
    void place(Slot slot);

    std::vector<Slot> slots_;
    std::size_t size_ = 0;
};

}  // namespace umbra
