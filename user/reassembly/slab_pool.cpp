#include "reassembly/slab_pool.h"

#include <sys/mman.h>

#include <new>

namespace umbra {

namespace {

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

SlabPool::SlabPool(std::size_t limit_bytes) : limit_(limit_bytes) {
    const std::size_t reserved = limit_ + kBlockBytes;
    void* const space =
        ::mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) throw std::bad_alloc();
    space_ = static_cast<std::byte*>(space);
    const std::uintptr_t misplaced = reinterpret_cast<std::uintptr_t>(space_) % kBlockBytes;
    fresh_ = space_ + (misplaced == 0 ? 0 : kBlockBytes - misplaced);
}

SlabPool::~SlabPool() {
    if (space_) ::munmap(space_, limit_ + kBlockBytes);
}

SlabPool::Block* SlabPool::make_block() {
    if (unmade_blocks() == 0) return nullptr;
    ++made_blocks_;
    std::byte* memory = fresh_;
    if (returned_.empty()) {
        fresh_ += kBlockBytes;
    } else {
        memory = returned_.back();
        returned_.pop_back();
    }
    return reinterpret_cast<Block*>(memory);
}

SlabPool::Block* SlabPool::take_block(SizeClass size) {
    Block* block = free_blocks_;
    if (block) {
        free_blocks_ = block->next;
        --idle_blocks_;
    } else {
        block = make_block();
        if (!block) return nullptr;
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
    return unmade_blocks() + idle_blocks_ >= needed;
}

bool SlabPool::set_aside(std::size_t bytes) {
    const std::size_t usable = limit_ - set_aside_ - (made_blocks_ - idle_blocks_) * kBlockBytes;
    if (bytes > usable) return false;
    while (made_blocks_ * kBlockBytes + set_aside_ + bytes > limit_) {
        Block* const block = free_blocks_;
        free_blocks_ = block->next;
        ::madvise(block, kBlockBytes, MADV_DONTNEED);
        returned_.push_back(reinterpret_cast<std::byte*>(block));
        --idle_blocks_;
        --made_blocks_;
    }
    set_aside_ += bytes;
    return true;
}

std::size_t SlabPool::reserved_bytes() const { return made_blocks_ * kBlockBytes + set_aside_; }

SlabPool::SizeClass SlabPool::class_of(const void* piece) { return Block::of(piece)->size; }

}  // namespace umbra
