// ParkedSegments: segments that cannot be judged yet: the server packet they refer to has not been read, or no
// server packet at all. Kept whole, in order of arrival. clear() before it goes.
#pragma once

#include <cstddef>

#include "flow/segment.h"
#include "reassembly/extent.h"

namespace umbra {

struct ParkedSegment {
    ParkedSegment* next = nullptr;
    Extent* bytes = nullptr;  // null without payload
    SegmentHeader header;

    std::size_t size() const { return bytes ? bytes->size() : 0; }
    std::uint32_t first_seq() const { return header.seq + ((header.flags & kSyn) != 0 ? 1 : 0); }
    std::uint32_t end_seq() const {
        return first_seq() + static_cast<std::uint32_t>(size()) + ((header.flags & kFin) != 0 ? 1 : 0);
    }
};

class ParkedSegments {
public:
    bool empty() const { return head_ == nullptr; }
    std::size_t count() const { return count_; }
    std::size_t bytes() const { return bytes_; }
    const ParkedSegment* front() const { return head_; }

    // False: the pool is exhausted.
    bool push(SlabPool& pool, const Segment& segment);
    // The first one, owned by the caller now.
    ParkedSegment* pop();
    void push_back(ParkedSegment* segment);
    static void destroy(SlabPool& pool, ParkedSegment* segment);
    // Returns how many bytes were parked.
    std::size_t clear(SlabPool& pool);

private:
    ParkedSegment* head_ = nullptr;
    ParkedSegment* tail_ = nullptr;
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace umbra
