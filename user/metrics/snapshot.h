// What the agent said at one moment, judged and rendered once for everybody who asks.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "control/message.h"

namespace umbra::metrics {

struct Probe {
    bool good = false;
    std::string reason;  // of the answer, good or bad
};

struct Snapshot {
    Probe health;
    Probe readiness;
    std::string exposition;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// The agent's two answers. failure is empty if both came.
struct Answers {
    control::Json status;
    control::Json ledger;
    std::string failure;
    double seconds = 0;  // that it took
};

// The exporter's own counters.
struct Asked {
    std::uint64_t times = 0;
    std::uint64_t failures = 0;
};

// Healthy: the agent answered.
Probe judge_health(const Answers& answers);
// Ready: rules are in force. The terminator runs, and if Kubernetes feeds the agent, its first picture is complete.
Probe judge_readiness(const Answers& answers);
SnapshotPtr make_snapshot(const Answers& answers, const Asked& asked);

}  // namespace umbra::metrics
