#include "base/chunk_buffer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace umbra {

ChunkPool::~ChunkPool() { trim(0); }

void ChunkPool::trim(std::size_t keep_bytes) {
    while (free_ && free_count_ * kChunkBytes > keep_bytes) {
        Chunk* chunk = free_;
        free_ = chunk->next;
        delete chunk;
        --free_count_;
        --allocated_;
    }
}

ChunkPool::Chunk* ChunkPool::take() {
    if (Chunk* chunk = free_) {
        free_ = chunk->next;
        --free_count_;
        chunk->next = chunk->previous = nullptr;
        chunk->begin = chunk->end = 0;
        return chunk;
    }
    if (allocated_ == max_chunks_) return nullptr;
    Chunk* chunk = new (std::nothrow) Chunk;
    if (chunk) ++allocated_;
    return chunk;
}

void ChunkPool::give(Chunk* chunk) {
    chunk->next = free_;
    free_ = chunk;
    ++free_count_;
}

bool ByteQueue::append(Bytes bytes) {
    const std::size_t room = tail_ ? kChunkBytes - tail_->end : 0;
    if (bytes.size() > room && bytes.size() - room > pool_.available_bytes()) return false;
    const std::size_t before = size_;
    while (!bytes.empty()) {
        if (!tail_ || tail_->end == kChunkBytes) {
            Chunk* chunk = pool_.take();
            if (!chunk) {
                pop_back(size_ - before);
                return false;
            }
            chunk->previous = tail_;
            (tail_ ? tail_->next : head_) = chunk;
            tail_ = chunk;
        }
        const std::size_t part = std::min(bytes.size(), kChunkBytes - tail_->end);
        std::memcpy(tail_->bytes + tail_->end, bytes.data(), part);
        tail_->end += static_cast<std::uint32_t>(part);
        size_ += part;
        bytes = bytes.subspan(part);
    }
    return true;
}

std::size_t ByteQueue::front(std::span<iovec> out, std::size_t limit) const {
    std::size_t used = 0;
    for (Chunk* chunk = head_; chunk && limit > 0 && used < out.size(); chunk = chunk->next) {
        const std::size_t part = std::min<std::size_t>(limit, chunk->end - chunk->begin);
        out[used++] = {chunk->bytes + chunk->begin, part};
        limit -= part;
    }
    return used;
}

void ByteQueue::unlink(Chunk* chunk) {
    (chunk->previous ? chunk->previous->next : head_) = chunk->next;
    (chunk->next ? chunk->next->previous : tail_) = chunk->previous;
    pool_.give(chunk);
}

void ByteQueue::pop_front(std::size_t count) {
    assert(count <= size_);
    size_ -= count;
    while (count > 0) {
        const std::size_t part = std::min<std::size_t>(count, head_->end - head_->begin);
        head_->begin += static_cast<std::uint32_t>(part);
        count -= part;
        if (head_->begin == head_->end) unlink(head_);
    }
}

void ByteQueue::pop_back(std::size_t count) {
    assert(count <= size_);
    size_ -= count;
    while (count > 0) {
        const std::size_t part = std::min<std::size_t>(count, tail_->end - tail_->begin);
        tail_->end -= static_cast<std::uint32_t>(part);
        count -= part;
        if (tail_->begin == tail_->end) unlink(tail_);
    }
}

void ByteQueue::clear() {
    while (head_) unlink(head_);
    size_ = 0;
}

}  // namespace umbra
