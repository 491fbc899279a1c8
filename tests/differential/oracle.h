// What a script came to: the packets of both directions in their order, and what the application read. Oracle plays
// scripts; the real one is TunOracle, tests of the comparison have their own.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "differential/script.h"
#include "net/ip_address.h"

namespace umbra::differential {

enum class End { open, eof, reset };
const char* end_name(End end);

// One connection as the application saw it.
struct Connection {
    std::string bytes;
    End end = End::open;
};

struct TracePacket {
    bool from_client = false;
    int step = -1;  // of the script, for the client's
    std::string bytes;
};

struct Trace {
    FlowTuple tuple;
    std::vector<TracePacket> packets;
    std::vector<Connection> connections;  // in the order of their acceptance
};

class Oracle {
public:
    virtual ~Oracle() = default;
    virtual Result<Trace> play(const Script& script) = 0;
};

}  // namespace umbra::differential
