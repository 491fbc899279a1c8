// TerminatorProcess: the process that parses the traffic, as the loader sees it: a child of its own, or, where the
// loader may not change users, one that somebody else started (a container of the same pod) and that has connected.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "agent/child_process.h"
#include "agent/privileges.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "capture/loss_injector.h"
#include "loader/datapath.h"
#include "terminator/limit_table.h"
#include "terminator/plan_message.h"
#include "terminator/terminator.h"

namespace umbra::agent {

struct TerminatorSettings {
    std::uint32_t queue_length = 8192;
    bool one_sided = false;
    InjectedLoss injected_loss;
    TerminatorLimits limits;
    Identity identity;
};

class TerminatorProcess {
public:
    // Forks: the calling process must have one thread.
    static Result<TerminatorProcess> start(const loader::Datapath& datapath, const TerminatorSettings& settings);
    // connection: SOCK_SEQPACKET, of a peer that may be the terminator. Waits for its answer; bounded.
    static Result<TerminatorProcess> adopt(UniqueFd connection, const loader::Datapath& datapath,
                                           const TerminatorSettings& settings);
    TerminatorProcess(TerminatorProcess&&) = default;
    TerminatorProcess& operator=(TerminatorProcess&&) = delete;

    pid_t pid() const { return child_ ? child_->pid() : 0; }  // 0: adopted
    // What an adopted one says of itself, as JSON.
    const std::string& self_report() const { return self_report_; }
    // Becomes readable when it has ended; of an adopted one also for other reasons, so ask has_ended().
    int process_fd() const { return child_ ? child_->process_fd() : channel_.get(); }
    bool has_ended() const;

    // Returns when all workers use the plan; bounded. After a failure the process is of no use any more.
    Result<void> send(const PlanMessage& message);

    // Lets it drain and end, kills it when that takes longer. Returns how it ended, empty if in good order.
    std::string stop(std::chrono::milliseconds patience);
    // Kills it, or parts from an adopted one. It ends through process_fd().
    void kill();

private:
    TerminatorProcess() = default;

    std::optional<ChildProcess> child_;
    std::string self_report_;
    UniqueFd channel_;
};

}  // namespace umbra::agent
