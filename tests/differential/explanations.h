// Where the engine may differ from the application, and why. Every explanation is a predicate on the script, the
// trace and both results; it is counted where it is needed and printed at the end.
#pragma once

#include "differential/engine_run.h"

namespace umbra::differential {

struct Difference {
    const Script& script;
    const Trace& trace;
    const EngineSetup& setup;
    const EngineResult& result;
    const EngineStream& ours;
    const Connection& theirs;
};

// The name of the explanation; null: there is none.
const char* explain(const Difference& difference);

// Whether the client's packets alone tell what the application reads.
bool one_sided_decides(const Script& script, const Trace& trace);

}  // namespace umbra::differential
