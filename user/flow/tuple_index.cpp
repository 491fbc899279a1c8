#include "flow/tuple_index.h"

namespace umbra {

void TupleIndex::place(Slot slot) {
    std::size_t at = slot.hash & mask();
    while (slots_[at].id != kNone) at = (at + 1) & mask();
    slots_[at] = slot;
}

void TupleIndex::insert(std::uint64_t hash, std::uint32_t id) {
    if (2 * (size_ + 1) > slots_.size()) {
        std::vector<Slot> old(2 * slots_.size());
        old.swap(slots_);
        for (const Slot& slot : old)
            if (slot.id != kNone) place(slot);
    }
    place({static_cast<std::uint32_t>(hash), id});
    ++size_;
}

void TupleIndex::erase(std::uint64_t hash, std::uint32_t id) {
    std::size_t hole = static_cast<std::uint32_t>(hash) & mask();
    while (slots_[hole].id != id) hole = (hole + 1) & mask();
    // Moves back what was pushed aside by the erased one, so that no probe ends early.
    for (std::size_t at = (hole + 1) & mask(); slots_[at].id != kNone; at = (at + 1) & mask()) {
        const std::size_t home = slots_[at].hash & mask();
        if (((at - home) & mask()) < ((at - hole) & mask())) continue;
        slots_[hole] = slots_[at];
        hole = at;
    }
    slots_[hole] = {};
    --size_;
}

}  // namespace umbra
