// Extent: a run of stream bytes that reassembly holds, in pooled chunks, with its place in the stream. A node of
// ExtentTree. Made and destroyed by functions here only; whoever holds the pointer owns it.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "net/seq.h"
#include "reassembly/slab_pool.h"

namespace umbra {

struct Chunk {
    Chunk* next = nullptr;
    std::uint16_t begin = 0;
    std::uint16_t end = 0;
    std::uint16_t capacity = 0;

    std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
    const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(this + 1); }
    Bytes view() const { return {bytes() + begin, static_cast<std::size_t>(end - begin)}; }
    std::size_t room() const { return static_cast<std::size_t>(capacity - end); }
};
static_assert(sizeof(Chunk) == 16);

struct Extent {
    StreamPos start = 0;  // where the segment began: orders the tree, and decides who wins shared bytes
    StreamPos begin = 0;  // first byte held
    StreamPos end = 0;    // one behind the last byte held, or behind the FIN
    Chunk* head = nullptr;
    Chunk* tail = nullptr;
    Extent* left = nullptr;
    Extent* right = nullptr;
    Extent* previous = nullptr;  // neighbours in the order of start
    Extent* next = nullptr;
    std::uint32_t priority = 0;
    std::uint16_t chunks = 0;
    bool fin = false;  // takes the last position

    StreamPos bytes_end() const { return end - (fin ? 1 : 0); }
    std::size_t size() const { return begin < bytes_end() ? bytes_end() - begin : 0; }
};

struct ByteRun {
    StreamPos start = 0;
    Bytes bytes;
    bool fin = false;

    StreamPos bytes_end() const { return start + bytes.size(); }
    StreamPos end() const { return bytes_end() + (fin ? 1 : 0); }
    // The part from `from` on; keeps the FIN.
    ByteRun tail_from(StreamPos from) const {
        if (from <= start) return *this;
        const std::size_t skipped = from - start < bytes.size() ? from - start : bytes.size();
        return {from, bytes.subspan(skipped), fin};
    }
};

// The pool must have room (SlabPool::has_room); null otherwise. `start` may lie before the bytes held.
Extent* make_extent(SlabPool& pool, StreamPos start, const ByteRun& run);
void destroy_extent(SlabPool& pool, Extent* extent);
// Adds bytes behind the last one; fills what room there is first. False: the pool is exhausted.
bool append_to_extent(SlabPool& pool, Extent& extent, Bytes bytes);
// Forgets the bytes before `from`.
void trim_extent(SlabPool& pool, Extent& extent, StreamPos from);
// Whether a byte that both hold differs.
bool contradicts(const Extent& extent, const ByteRun& run);

}  // namespace umbra
