// Every bound and switch of the reassembly stage. None is infinite; terminator/limit_table has a row for each.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bound.h"
#include "base/clock.h"

namespace umbra {

enum class Mode : std::uint8_t {
    strict,     // bytes are delivered once the server acknowledged them
    one_sided,  // bytes are delivered as the Linux receiver would take them, judged from the client's side alone
};

enum class ConflictPolicy : std::uint8_t {
    drop,     // contradicting copies end the flow
    as_linux  // the copy that Linux keeps
};

enum class UrgentPolicy : std::uint8_t {
    drop,     // urgent data ends the flow
    as_linux  // the urgent byte is taken out of the stream
};

struct ReassemblyLimits {
    Bound flows = 65536;             // beyond: new flows are refused
    Bound embryos = 65536;           // handshakes without client data; beyond: the oldest is forgotten
    Bound closed_flows = 65536;      // remembered to recognise what arrives late; beyond: the oldest is forgotten
    Bound orphans = 1024;            // flows with client data but no server packet yet; beyond: the oldest goes
    Bound segments = 8192;           // of a flow, out of order; what a capture queue can hold
    Bound ooo_bytes = 16 << 20;      // of a flow, out of order
    Bound unacked_bytes = 16 << 20;  // of a flow, in order, waiting for the server's ACK
    Bound orphan_bytes = 256 << 10;  // of an orphan
    Bound hole_bytes = 16 << 20;     // farthest a segment may lie ahead, whatever the window says
    Bound memory = 128 << 20;        // of a worker; beyond: the flow that waits longest is shed
    Bound marks = 1024;              // answers of a flow that the capture has not caught up with

    TimeNs idle_timeout = 600 * kSecond;
    TimeNs closing_timeout = 60 * kSecond;  // after one side closed
    TimeNs closed_timeout = 60 * kSecond;   // how long a closed flow is remembered
    TimeNs wait_timeout = 1 * kSecond;      // without a server packet: falls back to one-sided
    TimeNs hole_timeout = 10 * kSecond;     // one-sided: a hole this old is a gap

    ConflictPolicy on_conflict = ConflictPolicy::drop;
    UrgentPolicy on_urgent = UrgentPolicy::drop;
    bool fast_open = true;        // one-sided: data on a SYN counts if the client goes on behind it
    std::uint64_t hash_seed = 0;  // of the flow tables; give it a random number where clients are not trusted
};

// The window that a client may use when the server's is not known: more than Linux's largest by default.
inline constexpr std::uint32_t kUnknownWindow = 8 << 20;
inline constexpr std::uint8_t kLargestWindowScale = 14;  // RFC 7323, 2.3; assumed where the SYN-ACK was not seen
inline constexpr std::uint32_t kSmallestHole = 64 << 10;

}  // namespace umbra
