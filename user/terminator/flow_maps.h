// The two BPF maps that a worker writes: flows whose cloning shall stop, and its own connections (loop guard).
// Rare events, one system call each. A flow that could not be muted costs clones that are dropped later; a connection
// that could not be listed is not made.
#pragma once

#include "base/clock.h"
#include "replay/router.h"

namespace umbra {

class MutedFlows {
public:
    explicit MutedFlows(int map_fd) : map_fd_(map_fd) {}
    void add(const FlowTuple& flow);

private:
    int map_fd_;
};

class OwnConnectionMap : public OwnConnections {
public:
    explicit OwnConnectionMap(int map_fd) : map_fd_(map_fd) {}
    bool add(const FlowTuple& connection) override;
    void remove(const FlowTuple& connection) override;

private:
    int map_fd_;
};

}  // namespace umbra
