#include "flow/tuple_hash.h"

#include <cstring>

namespace umbra {

namespace {

std::uint64_t load64(const std::uint8_t* bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    return word;
}

// High and low half of the product: both inputs reach every bit.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::uint64_t tuple_hash(const FlowTuple& tuple, std::uint64_t seed) {
    constexpr std::uint64_t kA = 0x2d358dccaa6c78a5, kB = 0x8bb84b93962eacc9, kC = 0x4b33a62ed433d4a3;
    const std::uint8_t* const client = tuple.client.address.bytes.data();
    const std::uint8_t* const server = tuple.server.address.bytes.data();
    const std::uint64_t ports = std::uint64_t{tuple.client.port} << 16 | tuple.server.port;
    std::uint64_t hash = fold(load64(client) ^ seed ^ kA, load64(client + 8) ^ seed ^ kB);
    hash = fold(load64(server) ^ hash ^ kB, load64(server + 8) ^ seed ^ kC);
    return fold(ports ^ hash ^ kC, seed ^ hash ^ kA);
}

}  // namespace umbra
