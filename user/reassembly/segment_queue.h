// SegmentQueue: segments that arrived out of order, under the overlap rule of the Linux receiver: among overlapping
// segments the one that starts lower keeps the shared bytes; at the same start the longer; at the same range the
// first; and bytes that arrive in order beat queued ones. Each position is held at most once, so memory follows the
// bytes received. Owned by one flow; release everything with clear() before it goes.
#pragma once

#include <cstddef>

#include "reassembly/extent_tree.h"

namespace umbra {

// What an arrival did to bytes that were held or arrived.
struct OverlapResult {
    std::size_t displaced = 0;   // bytes, of either copy, that are not held (any more)
    bool contradiction = false;  // two copies of one position differ
    bool exhausted = false;      // the pool had no room; the arrival is displaced
};

class SegmentQueue {
public:
    SegmentQueue() = default;
    explicit SegmentQueue(std::uint32_t seed) : tree_(seed) {}

    bool empty() const { return tree_.empty(); }
    std::size_t count() const { return tree_.count(); }
    std::size_t bytes() const { return bytes_; }
    // Where the first queued segment starts; the queue is not empty.
    StreamPos first_start() const { return tree_.first()->start; }
    // Where the queued bytes end; 0 if there are none.
    StreamPos last_end() const { return tree_.empty() ? 0 : tree_.last()->end; }

    OverlapResult insert(SlabPool& pool, const ByteRun& run);
    // `run` is being taken in order: removes what it covers.
    OverlapResult supersede(SlabPool& pool, const ByteRun& run);
    // Takes out the first segment if it starts at or before `next`, trimmed to begin there; null if there is none.
    // Segments that are old as a whole are removed on the way; `displaced` grows by the bytes removed.
    Extent* pop_ready(SlabPool& pool, StreamPos next, std::size_t& displaced);
    // Returns how many bytes were held.
    std::size_t clear(SlabPool& pool);

private:
    bool contradicts(const ByteRun& run, const Extent* before) const;
    std::size_t remove(SlabPool& pool, Extent* extent);
    std::size_t trim(SlabPool& pool, Extent& extent, StreamPos from);

    ExtentTree tree_;
    std::size_t bytes_ = 0;
};

}  // namespace umbra
