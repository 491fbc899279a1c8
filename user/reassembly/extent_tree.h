// ExtentTree: extents ordered by start, no two alike: a treap and a list through links in the extents themselves.
// Finding, inserting and removing are O(log n) expected, neighbours O(1). Owns the extents in it; remove all before
// it goes. The seed keeps its shape from being predicted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "reassembly/extent.h"

namespace umbra {

class ExtentTree {
public:
    ExtentTree() = default;
    explicit ExtentTree(std::uint32_t seed) : random_(seed | 1) {}

    bool empty() const { return root_ == nullptr; }
    std::size_t count() const { return count_; }

    void insert(Extent* extent);
    // Takes it out; the caller owns it from then on.
    void remove(Extent* extent);
    Extent* first() const { return first_; }
    Extent* last() const { return last_; }
    // The last one that starts at or before `pos`.
    Extent* at_or_before(StreamPos pos) const;

private:
    Extent* root_ = nullptr;
    Extent* first_ = nullptr;
    Extent* last_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint32_t random_ = 1;
};

}  // namespace umbra
