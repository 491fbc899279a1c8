// What is remembered of a flow before and after it is one. 64 bytes at most, no pointers.
#pragma once

#include <cstdint>

#include "base/ledger.h"
#include "net/ip_address.h"
#include "reassembly/id_list.h"

namespace umbra {

inline constexpr unsigned kTouchedBits = 22;

// Seconds since `touched`, which keeps `bits` low bits only. A time ahead of `now` has no age.
inline std::uint32_t age_of(std::uint32_t touched, std::uint32_t now, unsigned bits) {
    const std::uint32_t mask = bits < 32 ? (1u << bits) - 1 : ~0u;
    const std::uint32_t age = (now - touched) & mask;
    return age > mask / 2 ? 0 : age;
}

// A connection whose client sent nothing yet: after the server's SYN-ACK (one-sided: the client's SYN), or one that
// was open before and of which only server packets were seen.
struct Embryo {
    FlowTuple tuple;
    ListLink lru;
    std::uint32_t next = 0;          // the client's first byte
    std::uint32_t server_start = 0;  // the server's first byte
    std::uint32_t server_next = 0;   // the server's next byte
    std::uint32_t ts_recent = 0;
    std::uint32_t touched : kTouchedBits = 0;  // low bits of the seconds
    std::uint32_t window_scale : 4 = 0;
    std::uint32_t midstream : 1 = 0;
    std::uint32_t server_seen : 1 = 0;
    std::uint32_t server_fin : 1 = 0;
    std::uint32_t timestamps : 1 = 0;
    std::uint32_t sack : 1 = 0;
    std::uint32_t answered : 1 = 0;  // the server has sent payload since the client's last byte
};
static_assert(sizeof(Embryo) <= 64);

// A flow that is over: what comes late is told from a new flow.
struct ClosedFlow {
    FlowTuple tuple;
    ListLink lru;
    std::uint32_t start = 0;    // the client's first byte
    std::uint32_t end = 0;      // one behind its last
    std::uint32_t touched = 0;  // seconds
    bool abandoned = false;
    Reason reason = Reason::duplicate;
};
static_assert(sizeof(ClosedFlow) <= 64);

}  // namespace umbra
