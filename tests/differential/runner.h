// Plays many random scripts and judges each. What differs is made smaller; enough differences end the run.
#pragma once

#include <optional>

#include "differential/compare.h"

namespace umbra::differential {

struct RunPlan {
    std::uint64_t seed = 1;
    std::uint64_t scripts = 20000;
    unsigned threads = 2;
    std::uint64_t failures = 1;  // end the run
};

struct Failure {
    std::uint64_t index = 0;
    Script script;  // made smaller
    std::string difference;
};

struct RunReport {
    std::uint64_t scripts = 0, packets = 0, bytes = 0, connections = 0, runs = 0, one_sided = 0;
    double seconds = 0;
    Explained explained;
    std::vector<Failure> failures;
    std::string error;  // the oracle could not work

    void add(const RunReport& other);
};

// Plays, judges; shrinks if it differs.
std::optional<Failure> check_script(Oracle& oracle, const Script& script, std::uint64_t index, RunReport& report);
RunReport run_scripts(const RunPlan& plan);
std::string to_text(const RunReport& report);
// The packets of both directions and both results, for people.
std::string narrate(const Trace& trace);

}  // namespace umbra::differential
