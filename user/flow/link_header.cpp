#include "flow/link_header.h"

#include "flow/byte_reader.h"

#include "umbra/abi/limits.h"

namespace umbra {

namespace {

constexpr std::uint16_t kEthertypeIpv4 = 0x0800, kEthertypeIpv6 = 0x86dd;
constexpr std::uint16_t kEthertypeVlan = 0x8100, kEthertypeQinq = 0x88a8, kEthertypeOldQinq = 0x9100;
constexpr std::size_t kMacAddresses = 12, kSllBeforeType = 14, kSll2AfterType = 18;

bool is_vlan(std::uint16_t type) {
    return type == kEthertypeVlan || type == kEthertypeQinq || type == kEthertypeOldQinq;
}

std::optional<NetworkPacket> by_ethertype(ByteReader reader, std::uint16_t type) {
    for (int tags = 0; is_vlan(type); ++tags) {
        if (tags == UMBRA_MAX_VLAN_TAGS) return std::nullopt;
        reader.skip(2);
        type = reader.u16();
    }
    if (!reader.ok()) return std::nullopt;
    if (type == kEthertypeIpv4) return NetworkPacket{4, reader.rest()};
    if (type == kEthertypeIpv6) return NetworkPacket{6, reader.rest()};
    return std::nullopt;
}

std::optional<NetworkPacket> by_version(Bytes bytes) {
    if (bytes.empty()) return std::nullopt;
    const auto version = static_cast<std::uint8_t>(std::to_integer<unsigned>(bytes[0]) >> 4);
    if (version != 4 && version != 6) return std::nullopt;
    return NetworkPacket{version, bytes};
}

}  // namespace

std::optional<NetworkPacket> strip_link_header(LinkType link, Bytes frame) {
    ByteReader reader(frame);
    switch (link) {
        case LinkType::ethernet: {
            reader.skip(kMacAddresses);
            const auto type = reader.u16();
            return by_ethertype(reader, type);
        }
        case LinkType::linux_sll: {
            reader.skip(kSllBeforeType);
            const auto type = reader.u16();
            return by_ethertype(reader, type);
        }
        case LinkType::linux_sll2: {
            const auto type = reader.u16();
            reader.skip(kSll2AfterType);
            return by_ethertype(reader, type);
        }
        // The address family's number differs between systems; the IP header tells its own version.
        case LinkType::bsd_loopback:
            reader.skip(4);
            return by_version(reader.rest());
        case LinkType::raw_ip:
            return by_version(frame);
    }
    return std::nullopt;
}

}  // namespace umbra
