// SlabPool: the memory of a worker's reassembly. Fixed-size pieces of three sizes, carved from 64 KiB blocks that
// return to the common stock when they are empty. The cap counts blocks, so it holds whatever the mix of sizes.
// One thread; the pool outlives everything that was allocated from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace umbra {

class SlabPool {
public:
    enum SizeClass : std::uint8_t { small, medium, large };
    static constexpr std::array<std::size_t, 3> kSizes{128, 2032, 16368};

    explicit SlabPool(std::size_t limit_bytes);
    ~SlabPool();
    SlabPool(const SlabPool&) = delete;
    SlabPool& operator=(const SlabPool&) = delete;

    // Null only if the cap is reached; never if has_room() said yes for the bytes in question.
    void* allocate(SizeClass size);
    void release(void* piece);

    // Whether payload of this many bytes, held in pieces of any size, can be taken in.
    bool has_room(std::size_t payload_bytes) const;
    std::size_t used_bytes() const { return used_bytes_; }
    std::size_t reserved_bytes() const;
    static SizeClass class_of(const void* piece);

private:
    struct Block;
    Block* take_block(SizeClass size);
    void unlink(Block* block);

    std::array<Block*, kSizes.size()> open_{};  // blocks with free pieces
    Block* free_blocks_ = nullptr;
    std::size_t max_blocks_;
    std::size_t made_blocks_ = 0;
    std::size_t idle_blocks_ = 0;
    std::size_t used_bytes_ = 0;
};

}  // namespace umbra
