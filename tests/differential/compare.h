// Judges what the engine made of a trace against what the application read.
#pragma once

#include <array>
#include <map>
#include <string>

#include "differential/engine_run.h"

namespace umbra::differential {

// How often each explanation was needed, by its name.
using Explained = std::map<std::string, std::uint64_t>;

struct Verdict {
    std::string difference;  // unexplained; empty: none
    Explained explained;
    std::uint64_t runs = 0;
    std::uint64_t one_sided = 0;  // of them

    bool same() const { return difference.empty(); }
};

// Runs the engine over the trace in every mode and order of the carriers, and compares.
Verdict judge(const Script& script, const Trace& trace, std::uint64_t seed);
// One run's result. Empty: as the application read it, or as the explanation that is counted says.
std::string compare(const Script& script, const Trace& trace, const EngineSetup& setup, const EngineResult& result,
                    Explained& explained);

}  // namespace umbra::differential
