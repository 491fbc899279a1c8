// Terminator: the unprivileged process of the agent. It gets descriptors and plans from the loader process, runs the
// workers (capture, reassembly, protocol, replay) and never talks to anybody but the mirrors.
// It ends when the loader closes the channel or sends SIGTERM, and counts what is unfinished as dropped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "capture/loss_injector.h"
#include "protocol/limits.h"
#include "reassembly/limits.h"
#include "replay/limits.h"

namespace umbra {

struct WorkerDescriptors {
    UniqueFd queue;       // of the capture device: frames with an Ethernet header
    UniqueFd bare_queue;  // packets of devices without link headers
    UniqueFd ring;        // map descriptor of the worker's BPF ring buffer
};

struct TerminatorOptions {
    std::vector<WorkerDescriptors> workers;
    UniqueFd ledger, worker_rows, muted, own;  // map descriptors
    UniqueFd channel;                          // SOCK_SEQPACKET from the loader; see plan_message.h
    std::uint32_t queue_length = 8192;         // packets that a capture queue holds at most
    bool one_sided = false;
    InjectedLoss injected_loss;
    ReassemblyLimits reassembly;
    ReplayLimits replay;
    ProtocolLimits protocol;
};

// Blocks until the end. Called in a process of its own, before it has threads, with its privileges already dropped.
Result<void> run_terminator(TerminatorOptions options);

}  // namespace umbra
