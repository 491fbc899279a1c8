// ChunkPool and ByteQueue: first-in first-out bytes in pooled 16 KiB chunks.
// The pool is the memory limit: it never allocates more than its cap, and chunks go back to a free list.
// One thread; the pool outlives its queues.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace umbra {

inline constexpr std::size_t kChunkBytes = 16 * 1024;

class ChunkPool {
public:
    explicit ChunkPool(std::size_t max_bytes) : max_chunks_(max_bytes / kChunkBytes) {}
    ~ChunkPool();
    ChunkPool(const ChunkPool&) = delete;
    ChunkPool& operator=(const ChunkPool&) = delete;

    std::size_t used_bytes() const { return (allocated_ - free_count_) * kChunkBytes; }
    std::size_t available_bytes() const { return (max_chunks_ - allocated_ + free_count_) * kChunkBytes; }
    // Gives back to the system what the free list holds beyond keep_bytes.
    void trim(std::size_t keep_bytes);

private:
    friend class ByteQueue;
    struct Chunk {
        Chunk* next = nullptr;
        Chunk* previous = nullptr;
        std::uint32_t begin = 0;
        std::uint32_t end = 0;
        std::byte bytes[kChunkBytes];
    };
    Chunk* take();
    void give(Chunk* chunk);

    Chunk* free_ = nullptr;
    std::size_t free_count_ = 0;
    std::size_t allocated_ = 0;
    std::size_t max_chunks_;
};

class ByteQueue {
public:
    explicit ByteQueue(ChunkPool& pool) : pool_(pool) {}
    ~ByteQueue() { clear(); }
    ByteQueue(const ByteQueue&) = delete;
    ByteQueue& operator=(const ByteQueue&) = delete;

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    // All or nothing; false: the pool's cap is reached.
    [[nodiscard]] bool append(Bytes bytes);
    // Fills views of the first `limit` bytes; returns how many entries were used.
    std::size_t front(std::span<iovec> out, std::size_t limit) const;
    void pop_front(std::size_t count);
    void pop_back(std::size_t count);
    void clear();

private:
    using Chunk = ChunkPool::Chunk;
    void unlink(Chunk* chunk);

    ChunkPool& pool_;
    Chunk* head_ = nullptr;
    Chunk* tail_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace umbra
