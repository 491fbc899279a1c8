#include "reassembly/marks.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace umbra {

Marks::Mark* Marks::push(SlabPool& pool, StreamPos at, Bytes prefix) {
    static_assert(sizeof(Mark) <= SlabPool::kSizes[SlabPool::small]);
    void* const piece = pool.allocate(SlabPool::small);
    if (!piece) return nullptr;
    auto* const mark = new (piece) Mark;
    mark->at = at;
    mark->size = static_cast<std::uint8_t>(std::min<std::size_t>(prefix.size(), sizeof mark->prefix));
    std::copy_n(prefix.data(), mark->size, mark->prefix);
    (tail_ ? tail_->next : head_) = mark;
    tail_ = mark;
    ++count_;
    return mark;
}

void Marks::pop(SlabPool& pool) {
    Mark* const first = head_;
    head_ = first->next;
    if (!head_) tail_ = nullptr;
    --count_;
    pool.release(first);
}

void Marks::clear(SlabPool& pool) {
    while (head_) pop(pool);
}

}  // namespace umbra
