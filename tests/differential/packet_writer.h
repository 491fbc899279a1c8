// Writes the packet of a step, byte by byte, as a client would that has heard the server so far.
#pragma once

#include <string>

#include "differential/script.h"
#include "net/ip_address.h"

namespace umbra::differential {

// What the client has heard.
struct Heard {
    std::uint32_t server_next = 0;
    std::uint32_t tsval = 0;
};

inline constexpr std::uint32_t kClientClock = 0x40000000;

std::string write_packet(const Script& script, const Step& step, const FlowTuple& tuple, const Heard& heard);

}  // namespace umbra::differential
