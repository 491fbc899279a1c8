// SlabPool: the memory of a worker's reassembly. Fixed-size pieces of three sizes, carved from 64 KiB blocks that
// return to the common stock when they are empty. The cap counts blocks, so it holds whatever the mix of sizes. Address
// space is reserved for the whole cap, memory is used for blocks in use.
// One thread; the pool outlives everything that was allocated from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

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

    // Counts memory that is allocated elsewhere against the cap, for good. False, and nothing is counted, if it does
    // not fit.
    bool set_aside(std::size_t bytes);

    // Whether payload of this many bytes, held in pieces of any size, can be taken in.
    bool has_room(std::size_t payload_bytes) const;
    std::size_t used_bytes() const { return used_bytes_; }
    // Of the system: blocks and what was set aside.
    std::size_t reserved_bytes() const;
    static SizeClass class_of(const void* piece);

private:
    static constexpr std::size_t kBlockBytes = 64 * 1024;

    struct Block;
    Block* make_block();
    Block* take_block(SizeClass size);
    void unlink(Block* block);
    std::size_t unmade_blocks() const { return (limit_ - set_aside_) / kBlockBytes - made_blocks_; }

    std::array<Block*, kSizes.size()> open_{};  // blocks with free pieces
    Block* free_blocks_ = nullptr;
    std::byte* space_ = nullptr;  // what was reserved
    std::byte* fresh_ = nullptr;  // the next block that was never made
    std::vector<std::byte*> returned_;
    const std::size_t limit_;
    std::size_t set_aside_ = 0;
    std::size_t made_blocks_ = 0;
    std::size_t idle_blocks_ = 0;
    std::size_t used_bytes_ = 0;
};

}  // namespace umbra
