#include "reassembly/extent.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace umbra {

namespace {

constexpr std::size_t capacity_of(SlabPool::SizeClass size) { return SlabPool::kSizes[size] - sizeof(Chunk); }

SlabPool::SizeClass class_for(std::size_t bytes, bool growing) {
    if (bytes > capacity_of(SlabPool::large) / 2) return SlabPool::large;
    if (bytes > capacity_of(SlabPool::small) || growing) return SlabPool::medium;
    return SlabPool::small;
}

Chunk* make_chunk(SlabPool& pool, SlabPool::SizeClass size) {
    void* const piece = pool.allocate(size);
    if (!piece) return nullptr;
    auto* const chunk = new (piece) Chunk;
    chunk->capacity = static_cast<std::uint16_t>(capacity_of(size));
    return chunk;
}

void fill(Chunk& chunk, Bytes& bytes) {
    const std::size_t count = std::min(chunk.room(), bytes.size());
    std::memcpy(chunk.bytes() + chunk.end, bytes.data(), count);
    chunk.end = static_cast<std::uint16_t>(chunk.end + count);
    bytes = bytes.subspan(count);
}

void release_chunks(SlabPool& pool, Chunk* chunk) {
    while (chunk) {
        Chunk* const next = chunk->next;
        pool.release(chunk);
        chunk = next;
    }
}

}  // namespace

static_assert(sizeof(Extent) <= SlabPool::kSizes[SlabPool::small]);

bool append_to_extent(SlabPool& pool, Extent& extent, Bytes bytes) {
    const bool growing = extent.tail != nullptr;
    extent.end += bytes.size();
    if (growing && extent.tail->room() > 0) fill(*extent.tail, bytes);
    while (!bytes.empty()) {
        Chunk* const chunk = make_chunk(pool, class_for(bytes.size(), growing));
        if (!chunk) {
            extent.end -= bytes.size();
            return false;
        }
        fill(*chunk, bytes);
        (extent.tail ? extent.tail->next : extent.head) = chunk;
        extent.tail = chunk;
        ++extent.chunks;
    }
    return true;
}

Extent* make_extent(SlabPool& pool, StreamPos start, const ByteRun& run) {
    void* const piece = pool.allocate(SlabPool::small);
    if (!piece) return nullptr;
    auto* const extent = new (piece) Extent;
    extent->start = start;
    extent->begin = extent->end = run.start;
    if (!append_to_extent(pool, *extent, run.bytes)) {
        destroy_extent(pool, extent);
        return nullptr;
    }
    extent->fin = run.fin;
    extent->end += run.fin ? 1 : 0;
    return extent;
}

void destroy_extent(SlabPool& pool, Extent* extent) {
    release_chunks(pool, extent->head);
    pool.release(extent);
}

void trim_extent(SlabPool& pool, Extent& extent, StreamPos from) {
    while (extent.head && extent.begin < from) {
        Chunk& chunk = *extent.head;
        const std::size_t size = chunk.view().size();
        const std::size_t count = std::min<std::size_t>(size, from - extent.begin);
        extent.begin += count;
        chunk.begin = static_cast<std::uint16_t>(chunk.begin + count);
        if (count < size) break;
        extent.head = chunk.next;
        if (!extent.head) extent.tail = nullptr;
        --extent.chunks;
        pool.release(&chunk);
    }
    extent.begin = std::max(extent.begin, from);
}

bool contradicts(const Extent& extent, const ByteRun& run) {
    const StreamPos end = std::min(extent.bytes_end(), run.bytes_end());
    StreamPos at = extent.begin;
    for (const Chunk* chunk = extent.head; chunk && at < end; chunk = chunk->next) {
        const Bytes held = chunk->view();
        const StreamPos from = std::max(at, run.start), to = std::min(at + held.size(), end);
        if (from < to && std::memcmp(held.data() + (from - at), run.bytes.data() + (from - run.start), to - from) != 0)
            return true;
        at += held.size();
    }
    return false;
}

}  // namespace umbra
