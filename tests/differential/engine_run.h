// Hands a trace to the reassembly engine, as the live worker would get it, and says what came out.
#pragma once

#include <string>
#include <vector>

#include "base/ledger.h"
#include "differential/oracle.h"
#include "reassembly/limits.h"

namespace umbra::differential {

// In which order the two carriers are read. Each carrier keeps its own order, and a server header is always read
// before a client packet that was captured after it.
enum class Carriers {
    in_step,       // as it happened
    server_first,  // the capture queue is read late: all server headers before all packets
    mixed,         // headers run ahead by a random number of packets
};

struct EngineSetup {
    Mode mode = Mode::strict;
    Carriers carriers = Carriers::in_step;
    bool as_linux = false;  // policies of contradictions and urgent data; else drop
    bool fast_open = true;
    std::uint64_t seed = 0;
};

struct EngineStream {
    std::string bytes;
    End end = End::open;
    bool abandoned = false;
    Reason reason = Reason::duplicate;
    std::uint64_t gap_bytes = 0;
    bool midstream = false;
};

struct EngineResult {
    std::vector<EngineStream> streams;
    std::uint64_t conflict_bytes = 0;  // dropped as overlap_conflict
    std::uint64_t urgent_bytes = 0;
    bool muted = false;  // a flow was given up, perhaps before anything was delivered
    std::string fault;   // a broken promise: the ledger, the order of calls
};

EngineResult run_engine(const Trace& trace, const EngineSetup& setup);

}  // namespace umbra::differential
