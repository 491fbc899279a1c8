// The program's own malloc and operator new, and the project's mmap: they count, and fail once where they are told to.
// With AddressSanitizer its allocator is behind them, else the C library's. One thread.
#pragma once

#include <cstdint>

namespace umbra::test {

// While one lives, allocations are numbered and may fail.
class Armed {
public:
    Armed();
    ~Armed();
    Armed(const Armed&) = delete;
    Armed& operator=(const Armed&) = delete;
};

// Numbers from 1 again; that allocation fails, or that many from it on, and those after it succeed. 0: none fails.
void fail_allocation(std::uint64_t number, std::uint64_t how_many = 1);
std::uint64_t allocations();   // numbered so far
bool allocation_failed();      // the one that was asked for was reached
std::int64_t living_blocks();  // in the whole program

}  // namespace umbra::test
