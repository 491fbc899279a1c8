#include "edit/request_id.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <atomic>
#include <chrono>
#include <cstring>

#include "edit/edit.h"

namespace umbra::edit {

namespace {

constexpr std::uint64_t kNodeBits = 48;

std::uint64_t load(const IdPrefix& prefix) {
    std::uint64_t word = 0;
    std::memcpy(&word, prefix.data(), sizeof word);
    return word;
}

IdPrefix draw_prefix() {
    IdPrefix prefix{};
    if (RAND_bytes(prefix.data(), static_cast<int>(prefix.size())) == 1) return prefix;
    // Without random numbers the time still differs over restarts.
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    std::memcpy(prefix.data(), &now, sizeof now);
    return prefix;
}

}  // namespace

std::string make_request_id(const IdPrefix& prefix, std::uint64_t request) {
    const std::uint64_t bits = load(prefix);
    return fmt::format("{:08x}-{:04x}-8{:03x}-{:04x}-{:012x}", bits & 0xffffffff, bits >> 32 & 0xffff,
                       bits >> 48 & 0xfff, 0x8000 | (request >> kNodeBits & 0x3fff),
                       request & ((std::uint64_t{1} << kNodeBits) - 1));
}

const IdPrefix& process_id_prefix() {
    static const IdPrefix prefix = draw_prefix();
    return prefix;
}

std::uint64_t Context::next_request() {
    static std::atomic<std::uint64_t> next{0};
    return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace umbra::edit
