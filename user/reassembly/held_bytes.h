// HeldBytes: bytes that are in order but not yet acknowledged by the server, first in, first out, with access by
// position for comparing retransmissions. Small arrivals share chunks. Owned by one flow; clear() before it goes.
#pragma once

#include <cstddef>

#include "reassembly/extent_tree.h"

namespace umbra {

class HeldBytes {
public:
    HeldBytes() = default;
    explicit HeldBytes(std::uint32_t seed) : tree_(seed) {}

    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }

    // `run` begins where the held bytes end; its FIN is not looked at. False: the pool is exhausted, nothing is held
    // of the run.
    bool append(SlabPool& pool, const ByteRun& run);
    // The same with a queued segment, which it destroys or keeps.
    bool adopt(SlabPool& pool, Extent* extent);
    // The first held bytes, as many as lie together; not empty() is required.
    Bytes front() const { return tree_.first()->head->view(); }
    void pop(SlabPool& pool, std::size_t count);
    bool contradicts(const ByteRun& run) const;
    // Returns how many bytes were held.
    std::size_t clear(SlabPool& pool);

private:
    ExtentTree tree_;
    std::size_t size_ = 0;
};

}  // namespace umbra
