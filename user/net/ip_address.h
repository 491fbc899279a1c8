// IP addresses, endpoints and prefixes as values. IPv4 is kept as v4-mapped IPv6, as the BPF maps have it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "umbra/abi/tuple.h"

namespace umbra {

struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};  // network order

    static IpAddress v4(const std::uint8_t* four);
    static IpAddress v6(const std::uint8_t* sixteen);
    // "10.0.0.1" or "fd00::1", without brackets.
    static std::optional<IpAddress> parse(std::string_view text);

    bool is_v4() const;
    std::string to_string() const;
    auto operator<=>(const IpAddress&) const = default;
};

struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;  // host order

    // "10.0.0.1:80" or "[fd00::1]:80".
    static std::optional<Endpoint> parse(std::string_view text);
    static Endpoint from_key(const umbra_endpoint& key);
    umbra_endpoint to_key() const;
    std::string to_string() const;
    auto operator<=>(const Endpoint&) const = default;
};

struct IpPrefix {
    IpAddress address;
    std::uint8_t length = 128;  // of the v4-mapped form: an IPv4 /24 is 120

    // "10.0.0.0/8", "fd00::/64", or a bare address.
    static std::optional<IpPrefix> parse(std::string_view text);
    bool contains(const IpAddress& other) const;
    std::string to_string() const;
    auto operator<=>(const IpPrefix&) const = default;
};

// One TCP flow, oriented: who is the client is known.
struct FlowTuple {
    Endpoint client;
    Endpoint server;

    static FlowTuple from_key(const umbra_tuple& key);
    umbra_tuple to_key() const;
    std::string to_string() const;  // "CLIENT>SERVER"
    auto operator<=>(const FlowTuple&) const = default;
};

std::size_t hash_value(const Endpoint& endpoint);
std::size_t hash_value(const FlowTuple& tuple);

}  // namespace umbra

template <>
struct std::hash<umbra::Endpoint> {
    std::size_t operator()(const umbra::Endpoint& endpoint) const { return umbra::hash_value(endpoint); }
};
template <>
struct std::hash<umbra::FlowTuple> {
    std::size_t operator()(const umbra::FlowTuple& tuple) const { return umbra::hash_value(tuple); }
};
