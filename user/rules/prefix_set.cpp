#include "rules/prefix_set.h"

#include <algorithm>

namespace umbra::rules {

namespace {

IpPrefix masked(IpPrefix prefix) {
    for (std::size_t bit = prefix.length; bit < 128; ++bit) {
        prefix.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
    }
    return prefix;
}

bool is_inside(const IpPrefix& inner, const IpPrefix& outer) {
    return outer.length <= inner.length && outer.contains(inner.address);
}

}  // namespace

std::vector<IpPrefix> normalized(std::vector<IpPrefix> prefixes) {
    for (auto& prefix : prefixes) prefix = masked(prefix);
    // By address, then length: a prefix comes directly before what lies inside of it.
    std::sort(prefixes.begin(), prefixes.end());
    std::vector<IpPrefix> result;
    for (const auto& prefix : prefixes) {
        if (result.empty() || !is_inside(prefix, result.back())) result.push_back(prefix);
    }
    return result;
}

std::vector<IpPrefix> intersection(std::span<const IpPrefix> a, std::span<const IpPrefix> b) {
    std::vector<IpPrefix> result;
    for (const auto& x : a) {
        for (const auto& y : b) {
            if (is_inside(x, y)) result.push_back(x);
            if (is_inside(y, x) && x != y) result.push_back(y);
        }
    }
    return normalized(std::move(result));
}

bool contains_all(std::span<const IpPrefix> outer, std::span<const IpPrefix> inner) {
    return std::all_of(inner.begin(), inner.end(), [&](const IpPrefix& prefix) {
        return std::any_of(outer.begin(), outer.end(), [&](const IpPrefix& other) { return is_inside(prefix, other); });
    });
}

bool contains(std::span<const IpPrefix> prefixes, const IpAddress& address) {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](const IpPrefix& p) { return p.contains(address); });
}

}  // namespace umbra::rules
