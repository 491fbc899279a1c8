// Removes the link header, VLAN tags included, and says which IP version follows.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "capture/packet.h"

namespace umbra {

struct NetworkPacket {
    std::uint8_t version = 4;  // 4 or 6
    Bytes bytes;               // from the IP header on, link padding included
};

// None: another protocol, more tags than UMBRA_MAX_VLAN_TAGS, or too short.
std::optional<NetworkPacket> strip_link_header(LinkType link, Bytes frame);

}  // namespace umbra
