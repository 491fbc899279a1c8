#include "reassembly/parked_segments.h"

#include <new>

namespace umbra {

static_assert(sizeof(ParkedSegment) <= SlabPool::kSizes[SlabPool::small]);

bool ParkedSegments::push(SlabPool& pool, const Segment& segment) {
    void* const piece = pool.allocate(SlabPool::small);
    if (!piece) return false;
    auto* const parked = new (piece) ParkedSegment;
    parked->header = segment;
    if (!segment.payload.empty()) {
        const StreamPos start = first_position(parked->first_seq());
        parked->bytes = make_extent(pool, start, {start, segment.payload, false});
        if (!parked->bytes) {
            pool.release(parked);
            return false;
        }
    }
    push_back(parked);
    return true;
}

void ParkedSegments::push_back(ParkedSegment* segment) {
    segment->next = nullptr;
    (tail_ ? tail_->next : head_) = segment;
    tail_ = segment;
    ++count_;
    bytes_ += segment->size();
}

ParkedSegment* ParkedSegments::pop() {
    ParkedSegment* const first = head_;
    if (!first) return nullptr;
    head_ = first->next;
    if (!head_) tail_ = nullptr;
    --count_;
    bytes_ -= first->size();
    return first;
}

void ParkedSegments::destroy(SlabPool& pool, ParkedSegment* segment) {
    if (segment->bytes) destroy_extent(pool, segment->bytes);
    pool.release(segment);
}

std::size_t ParkedSegments::clear(SlabPool& pool) {
    const std::size_t cleared = bytes_;
    while (ParkedSegment* const segment = pop()) destroy(pool, segment);
    return cleared;
}

}  // namespace umbra
