#include "reassembly/segment_queue.h"

#include <algorithm>

namespace umbra {

// Ends rise with starts, so the extents that share bytes with `run` are neighbours.
bool SegmentQueue::contradicts(const ByteRun& run, const Extent* before) const {
    const Extent* at = before;
    while (at && at->previous && at->previous->end > run.start) at = at->previous;
    if (!at) at = tree_.first();
    for (; at && at->begin < run.bytes_end(); at = at->next)
        if (umbra::contradicts(*at, run)) return true;
    return false;
}

std::size_t SegmentQueue::remove(SlabPool& pool, Extent* extent) {
    const std::size_t size = extent->size();
    bytes_ -= size;
    tree_.remove(extent);
    destroy_extent(pool, extent);
    return size;
}

std::size_t SegmentQueue::trim(SlabPool& pool, Extent& extent, StreamPos from) {
    const std::size_t before = extent.size();
    trim_extent(pool, extent, from);
    const std::size_t trimmed = before - extent.size();
    bytes_ -= trimmed;
    return trimmed;
}

OverlapResult SegmentQueue::insert(SlabPool& pool, const ByteRun& run) {
    OverlapResult result;
    Extent* before = tree_.at_or_before(run.start);
    result.contradiction = contradicts(run, before);
    if (before && before->end >= run.end()) {
        result.displaced = run.bytes.size();
        return result;
    }
    if (before && before->start == run.start) {
        Extent* const shorter = before;
        before = before->previous;
        result.displaced += remove(pool, shorter);
    }
    const StreamPos visible = before ? std::max(run.start, before->end) : run.start;
    Extent* after = before ? before->next : tree_.first();
    while (after && after->end <= run.end()) {
        Extent* const covered = after;
        after = after->next;
        result.displaced += remove(pool, covered);
    }
    if (after && after->begin < run.end()) result.displaced += trim(pool, *after, run.end());
    const ByteRun rest = run.tail_from(visible);
    result.displaced += run.bytes.size() - rest.bytes.size();
    Extent* const extent = make_extent(pool, run.start, rest);
    result.exhausted = !extent;
    if (!extent) {
        result.displaced += rest.bytes.size();
        return result;
    }
    bytes_ += extent->size();
    tree_.insert(extent);
    return result;
}

OverlapResult SegmentQueue::supersede(SlabPool& pool, const ByteRun& run) {
    OverlapResult result;
    if (tree_.empty()) return result;
    result.contradiction = contradicts(run, nullptr);
    while (!tree_.empty() && tree_.first()->end <= run.end()) result.displaced += remove(pool, tree_.first());
    return result;
}

Extent* SegmentQueue::pop_ready(SlabPool& pool, StreamPos next, std::size_t& displaced) {
    while (!tree_.empty() && tree_.first()->start <= next) {
        Extent* const first = tree_.first();
        if (first->end <= next) {
            displaced += remove(pool, first);
            continue;
        }
        displaced += trim(pool, *first, next);
        bytes_ -= first->size();
        tree_.remove(first);
        return first;
    }
    return nullptr;
}

std::size_t SegmentQueue::clear(SlabPool& pool) {
    std::size_t cleared = 0;
    while (!tree_.empty()) cleared += remove(pool, tree_.first());
    return cleared;
}

}  // namespace umbra
