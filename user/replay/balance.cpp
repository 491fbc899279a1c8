#include "replay/balance.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace umbra {

namespace {

// The finalizer of splitmix64.
std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

std::uint64_t mix_address(std::uint64_t seed, const IpAddress& address) {
    std::uint64_t half[2];
    std::memcpy(half, address.bytes.data(), sizeof half);
    return mix(mix(seed ^ half[0]) + half[1]);
}

void in_turn(Target& target, std::vector<std::uint32_t>& order) {
    const auto first = static_cast<std::ptrdiff_t>(target.next++ % order.size());
    std::rotate(order.begin(), order.begin() + first, order.end());
}

}  // namespace

std::uint64_t rendezvous_weight(const IpAddress& client, const Endpoint& endpoint) {
    return mix(mix_address(mix_address(0x9e3779b97f4a7c15ULL, client), endpoint.address) + endpoint.port);
}

void endpoint_order(Target& target, const IpAddress& client, std::vector<std::uint32_t>& order) {
    order.resize(target.endpoints.size());
    std::iota(order.begin(), order.end(), 0u);
    if (order.size() < 2) return;
    switch (target.settings->balance) {
        case rules::Balance::round_robin:
            return in_turn(target, order);
        case rules::Balance::least_outstanding:
            in_turn(target, order);
            std::stable_sort(order.begin(), order.end(),
                             [&](auto a, auto b) { return target.load[a] < target.load[b]; });
            return;
        case rules::Balance::client_hash:
            std::vector<std::uint64_t> weights;
            for (const Endpoint& endpoint : target.endpoints) weights.push_back(rendezvous_weight(client, endpoint));
            std::sort(order.begin(), order.end(), [&](auto a, auto b) { return weights[a] > weights[b]; });
    }
}

}  // namespace umbra
