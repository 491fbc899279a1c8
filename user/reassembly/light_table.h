// LightTable: small records by tuple, bounded: when it is full, the one untouched longest makes room. For handshakes
// that no client data followed yet, and for flows that are over. Entry has members `tuple` and `lru`.
#pragma once

#include <cstddef>

#include "flow/tuple_hash.h"
#include "flow/tuple_index.h"
#include "reassembly/id_list.h"

namespace umbra {

template <class Entry>
class LightTable {
public:
    LightTable(std::size_t limit, std::uint64_t seed) : limit_(limit), seed_(seed) {}
    LightTable(const LightTable&) = delete;
    LightTable& operator=(const LightTable&) = delete;

    std::size_t size() const { return store_.size(); }
    Entry* find(const FlowTuple& tuple, std::uint64_t hash) {
        const auto id =
            index_.find(tuple, hash, [this](std::uint32_t at) -> const FlowTuple& { return store_[at].tuple; });
        return id == TupleIndex::kNone ? nullptr : &store_[id];
    }
    // Memory that the next insert() asks of the system, slots of the index included.
    std::size_t growth_bytes() const {
        const std::size_t page = store_.size() >= limit_ ? 0 : store_.growth_bytes();
        return page == 0 ? 0 : page + store_.kPage * TupleIndex::kBytesPerTuple;
    }
    // The tuple is not in the table.
    Entry& insert(const FlowTuple& tuple, std::uint64_t hash) {
        if (store_.size() >= limit_) erase(store_[lru_.head()]);
        const auto id = store_.acquire();
        Entry& entry = store_[id];
        entry.tuple = tuple;
        index_.insert(hash, id);
        lru_.push_back(id);
        return entry;
    }
    void touch(const Entry& entry) { lru_.move_to_back(id_of(entry)); }
    void erase(const Entry& entry) {
        const auto id = id_of(entry);
        lru_.remove(id);
        index_.erase(tuple_hash(entry.tuple, seed_), id);
        store_.release(id);
    }
    // The one untouched longest; null if the table is empty.
    Entry* oldest() { return lru_.empty() ? nullptr : &store_[lru_.head()]; }

private:
    std::uint32_t id_of(const Entry& entry) const {
        return index_.find(entry.tuple, tuple_hash(entry.tuple, seed_),
                           [this](std::uint32_t at) -> const FlowTuple& { return store_[at].tuple; });
    }

    const std::size_t limit_;
    const std::uint64_t seed_;
    Store<Entry> store_;
    TupleIndex index_;
    IdList<Entry, &Entry::lru> lru_{store_};
};

}  // namespace umbra
