#include "net/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace umbra {

namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
    unsigned value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
    return value;
}

std::uint64_t load64(const std::uint8_t* bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    return word;
}

// Finalizer of splitmix64: every input bit reaches every output bit.
std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

IpAddress copy_address(const std::uint8_t* bytes) { return IpAddress::v6(bytes); }

}  // namespace

IpAddress IpAddress::v4(const std::uint8_t* four) {
    IpAddress address;
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
    std::copy_n(four, 4, address.bytes.begin() + 12);
    return address;
}

IpAddress IpAddress::v6(const std::uint8_t* sixteen) {
    IpAddress address;
    std::copy_n(sixteen, 16, address.bytes.begin());
    return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string copy(text);
    std::uint8_t raw[16];
    if (inet_pton(AF_INET, copy.c_str(), raw) == 1) return v4(raw);
    if (inet_pton(AF_INET6, copy.c_str(), raw) == 1) return v6(raw);
    return std::nullopt;
}

bool IpAddress::is_v4() const { return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin()); }

std::string IpAddress::to_string() const {
    char text[INET6_ADDRSTRLEN];
    if (is_v4()) return inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text);
    return inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    const auto port = parse_number(text.substr(colon + 1), 65535);
    if (!address || !port || bracketed == address->is_v4()) return std::nullopt;
    return Endpoint{*address, static_cast<std::uint16_t>(*port)};
}

Endpoint Endpoint::from_key(const umbra_endpoint& key) { return {copy_address(key.addr), ntohs(key.port)}; }

umbra_endpoint Endpoint::to_key() const {
    umbra_endpoint key{};
    std::copy(address.bytes.begin(), address.bytes.end(), key.addr);
    key.port = htons(port);
    return key;
}

std::string Endpoint::to_string() const {
    const auto host = address.to_string();
    return (address.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    const unsigned width = address->is_v4() ? 32 : 128;
    unsigned length = width;
    if (slash != std::string_view::npos) {
        const auto given = parse_number(text.substr(slash + 1), width);
        if (!given) return std::nullopt;
        length = *given;
    }
    return IpPrefix{*address, static_cast<std::uint8_t>(length + 128 - width)};
}

bool IpPrefix::contains(const IpAddress& other) const {
    const std::size_t whole = length / 8;
    if (!std::equal(address.bytes.begin(), address.bytes.begin() + whole, other.bytes.begin())) return false;
    if (length % 8 == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - length % 8));
    return ((address.bytes[whole] ^ other.bytes[whole]) & mask) == 0;
}

std::string IpPrefix::to_string() const {
    const bool v4 = address.is_v4() && length >= 96;
    return address.to_string() + "/" + std::to_string(v4 ? length - 96 : length);
}

FlowTuple FlowTuple::from_key(const umbra_tuple& key) {
    return {{copy_address(key.client_addr), ntohs(key.client_port)},
            {copy_address(key.server_addr), ntohs(key.server_port)}};
}

umbra_tuple FlowTuple::to_key() const {
    umbra_tuple key{};
    std::copy(client.address.bytes.begin(), client.address.bytes.end(), key.client_addr);
    std::copy(server.address.bytes.begin(), server.address.bytes.end(), key.server_addr);
    key.client_port = htons(client.port);
    key.server_port = htons(server.port);
    return key;
}

std::string FlowTuple::to_string() const { return client.to_string() + ">" + server.to_string(); }

std::size_t hash_value(const Endpoint& endpoint) {
    const auto* bytes = endpoint.address.bytes.data();
    return mix(mix(load64(bytes) ^ endpoint.port) + load64(bytes + 8));
}

std::size_t hash_value(const FlowTuple& tuple) {
    return mix(hash_value(tuple.client) + 0x9e3779b97f4a7c15ULL * hash_value(tuple.server));
}

}  // namespace umbra
