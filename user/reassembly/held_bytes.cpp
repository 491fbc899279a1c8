#include "reassembly/held_bytes.h"

namespace umbra {

namespace {

// Bounds the search for a position inside one extent.
constexpr std::uint16_t kChunksPerExtent = 16;
// An adopted segment up to this size is copied to the others, so that its pieces are free again.
constexpr std::size_t kCopied = 112;

}  // namespace

bool HeldBytes::append(SlabPool& pool, const ByteRun& run) {
    if (run.bytes.empty()) return true;
    Extent* const last = tree_.last();
    if (last && last->chunks < kChunksPerExtent) {
        const StreamPos end = last->end;
        if (!append_to_extent(pool, *last, run.bytes)) {
            size_ += last->end - end;
            return false;
        }
    } else {
        Extent* const extent = make_extent(pool, run.start, {run.start, run.bytes, false});
        if (!extent) return false;
        tree_.insert(extent);
    }
    size_ += run.bytes.size();
    return true;
}

bool HeldBytes::adopt(SlabPool& pool, Extent* extent) {
    const std::size_t size = extent->size();
    if (size > kCopied) {
        extent->end = extent->bytes_end();
        extent->fin = false;
        extent->start = extent->begin;
        tree_.insert(extent);
        size_ += size;
        return true;
    }
    bool held = true;
    for (const Chunk* chunk = extent->head; chunk && held; chunk = chunk->next)
        held = append(pool, {tree_.empty() ? extent->begin : tree_.last()->end, chunk->view(), false});
    destroy_extent(pool, extent);
    return held;
}

void HeldBytes::pop(SlabPool& pool, std::size_t count) {
    size_ -= count;
    while (count > 0) {
        Extent* const first = tree_.first();
        const std::size_t size = first->size();
        if (count >= size) {
            count -= size;
            tree_.remove(first);
            destroy_extent(pool, first);
        } else {
            trim_extent(pool, *first, first->begin + count);
            count = 0;
        }
    }
}

bool HeldBytes::contradicts(const ByteRun& run) const {
    const Extent* at = tree_.at_or_before(run.start);
    if (!at) at = tree_.first();
    for (; at && at->begin < run.bytes_end(); at = at->next)
        if (umbra::contradicts(*at, run)) return true;
    return false;
}

std::size_t HeldBytes::clear(SlabPool& pool) {
    const std::size_t cleared = size_;
    pop(pool, size_);
    return cleared;
}

}  // namespace umbra
