#include "alloc/injector.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define UMBRA_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UMBRA_TEST_ASAN 1
#endif
#endif

#ifdef UMBRA_TEST_ASAN
#define BEHIND(name) __interceptor_##name
#else
#define BEHIND(name) __libc_##name
#endif

extern "C" {
void* BEHIND(malloc)(std::size_t);
void* BEHIND(calloc)(std::size_t, std::size_t);
void* BEHIND(realloc)(void*, std::size_t);
void* BEHIND(memalign)(std::size_t, std::size_t);
void BEHIND(free)(void*);
void* __real_mmap(void*, std::size_t, int, int, int, off_t);
}

namespace {

int armed = 0;
std::uint64_t numbered = 0, failing = 0, behind = 0;
std::int64_t blocks = 0;

bool fails() { return armed > 0 && ++numbered >= failing && numbered < behind; }

void* counted(void* block) {
    if (block) ++blocks;
    return block;
}

void* refused() {
    errno = ENOMEM;
    return nullptr;
}

void* or_throw(void* block) {
    if (!block) throw std::bad_alloc();
    return block;
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) { return fails() ? refused() : counted(BEHIND(malloc)(size)); }
void* calloc(std::size_t count, std::size_t size) { return fails() ? refused() : counted(BEHIND(calloc)(count, size)); }
void* realloc(void* old, std::size_t size) {
    if (fails()) return refused();
    void* const block = BEHIND(realloc)(old, size);
    if (!old && block) ++blocks;
    if (old && !block) --blocks;  // of size 0
    return block;
}
void* memalign(std::size_t alignment, std::size_t size) {
    return fails() ? refused() : counted(BEHIND(memalign)(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
    *out = memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}
void free(void* block) {
    if (block) --blocks;
    BEHIND(free)(block);
}
void* __wrap_mmap(void* at, std::size_t size, int protection, int flags, int fd, off_t offset) {
    if (!fails()) return __real_mmap(at, size, protection, flags, fd, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

}  // extern "C"

void* operator new(std::size_t size) { return or_throw(malloc(size)); }
void* operator new[](std::size_t size) { return or_throw(malloc(size)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return malloc(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return malloc(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return or_throw(memalign(static_cast<std::size_t>(alignment), size));
}
void operator delete(void* block) noexcept { free(block); }
void operator delete[](void* block) noexcept { free(block); }
void operator delete(void* block, std::size_t) noexcept { free(block); }
void operator delete[](void* block, std::size_t) noexcept { free(block); }
void operator delete(void* block, std::align_val_t) noexcept { free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { free(block); }

namespace umbra::test {

Armed::Armed() { ++armed; }
Armed::~Armed() { --armed; }

void fail_allocation(std::uint64_t number, std::uint64_t how_many) {
    numbered = 0;
    failing = number;
    behind = number == 0 ? 0 : number + how_many;
}
std::uint64_t allocations() { return numbered; }
bool allocation_failed() { return failing != 0 && numbered >= failing; }
std::int64_t living_blocks() { return blocks; }

}  // namespace umbra::test
