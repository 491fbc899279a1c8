// MappedArray: a BPF array map (BPF_F_MMAPABLE) as memory. Any process that has the map's descriptor can map it; the
// memory stays valid without the descriptor. Who may write which element is the map's contract.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/result.h"

namespace umbra::loader {

class MappedMemory {
public:
    static Result<MappedMemory> map(int map_fd, std::size_t value_size);
    MappedMemory(MappedMemory&& other) noexcept
        : start_(std::exchange(other.start_, nullptr)), size_(other.size_), entries_(other.entries_) {}
    MappedMemory& operator=(MappedMemory&&) = delete;
    ~MappedMemory();

    void* start() const { return start_; }
    std::uint32_t entries() const { return entries_; }

private:
    MappedMemory(void* start, std::size_t size, std::uint32_t entries)
        : start_(start), size_(size), entries_(entries) {}

    void* start_;
    std::size_t size_;
    std::uint32_t entries_;
};

template <class T>
class MappedArray {
public:
    static Result<MappedArray> map(int map_fd) {
        static_assert(sizeof(T) % 8 == 0, "the kernel lays elements out in multiples of 8");
        auto memory = MappedMemory::map(map_fd, sizeof(T));
        if (!memory) return memory.error();
        return MappedArray(std::move(*memory));
    }
    std::uint32_t size() const { return memory_.entries(); }
    T& operator[](std::uint32_t index) { return static_cast<T*>(memory_.start())[index]; }
    const T& operator[](std::uint32_t index) const { return static_cast<const T*>(memory_.start())[index]; }

private:
    explicit MappedArray(MappedMemory memory) : memory_(std::move(memory)) {}

    MappedMemory memory_;
};

}  // namespace umbra::loader
