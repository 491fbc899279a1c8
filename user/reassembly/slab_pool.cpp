#include "reassembly/slab_pool.h"

#include <cstdlib>

namespace umbra {

namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr std::size_t kHeaderBytes = 64;

}  // namespace

struct SlabPool::Block {
    Block* next = nullptr;
    Block* previous = nullptr;
    void* free_pieces = nullptr;  // pieces given back, linked through their first word
    std::uint32_t carved = 0;     // pieces handed out at least once
    std::uint32_t used = 0;
    SizeClass size = small;

    static Block* of(const void* piece) {
        return reinterpret_cast<Block*>(reinterpret_cast<std::uintptr_t>(piece) & ~(kBlockBytes - 1));
    }
    std::uint32_t capacity() const { return static_cast<std::uint32_t>((kBlockBytes - kHeaderBytes) / kSizes[size]); }
    bool full() const { return used == capacity(); }
    void* take_piece() {
        ++used;
        if (void* piece = free_pieces) {
            free_pieces = *static_cast<void**>(piece);
            return piece;
        }
        return reinterpret_cast<std::byte*>(this) + kHeaderBytes + kSizes[size] * carved++;
    }
};

SlabPool::SlabPool(std::size_t limit_bytes) : max_blocks_(limit_bytes / kBlockBytes) {}

SlabPool::~SlabPool() {
    const auto free_list = [](Block* block) {
        while (block) {
            Block* const next = block->next;
            std::free(block);
            block = next;
        }
    };
    for (Block* block : open_) free_list(block);
    free_list(free_blocks_);
}

SlabPool::Block* SlabPool::take_block(SizeClass size) {
    Block* block = free_blocks_;
    if (block) {
        free_blocks_ = block->next;
        --idle_blocks_;
    } else {
        if (made_blocks_ == max_blocks_) return nullptr;
        void* const memory = std::aligned_alloc(kBlockBytes, kBlockBytes);
        if (!memory) return nullptr;
        ++made_blocks_;
        block = static_cast<Block*>(memory);
    }
    *block = Block{};
    block->size = size;
    open_[size] = block;
    return block;
}

void* SlabPool::allocate(SizeClass size) {
    Block* block = open_[size];
    if (!block) block = take_block(size);
    if (!block) return nullptr;
    void* const piece = block->take_piece();
    used_bytes_ += kSizes[size];
    if (block->full()) unlink(block);
    return piece;
}

void SlabPool::release(void* piece) {
    Block* const block = Block::of(piece);
    if (block->full()) {
        block->next = open_[block->size];
        block->previous = nullptr;
        if (block->next) block->next->previous = block;
        open_[block->size] = block;
    }
    *static_cast<void**>(piece) = block->free_pieces;
    block->free_pieces = piece;
    --block->used;
    used_bytes_ -= kSizes[block->size];
    if (block->used > 0) return;
    unlink(block);
    block->next = free_blocks_;
    free_blocks_ = block;
    ++idle_blocks_;
}

void SlabPool::unlink(Block* block) {
    if (block->previous) {
        block->previous->next = block->next;
    } else {
        open_[block->size] = block->next;
    }
    if (block->next) block->next->previous = block->previous;
    block->next = block->previous = nullptr;
}

// Worst case: one new block per size for what opens none yet, and pieces half filled.
bool SlabPool::has_room(std::size_t payload_bytes) const {
    const std::size_t needed = 2 * payload_bytes / kBlockBytes + kSizes.size();
    return max_blocks_ - made_blocks_ + idle_blocks_ >= needed;
}

std::size_t SlabPool::reserved_bytes() const { return made_blocks_ * kBlockBytes; }

SlabPool::SizeClass SlabPool::class_of(const void* piece) { return Block::of(piece)->size; }

}  // namespace umbra
