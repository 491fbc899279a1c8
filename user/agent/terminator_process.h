// TerminatorProcess: the child process that parses the traffic, as the loader sees it. Owns its channel, its process
// descriptor and its life line: a pipe whose end kills the child, by the kernel, however the loader ended. (The signal
// of PR_SET_PDEATHSIG would be refused: the child is another user's and the loader has no CAP_KILL.)
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <utility>

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
    TerminatorProcess(TerminatorProcess&& other) noexcept
        : pid_(std::exchange(other.pid_, 0)),
          process_(std::move(other.process_)),
          channel_(std::move(other.channel_)),
          life_line_(std::move(other.life_line_)) {}
    TerminatorProcess& operator=(TerminatorProcess&&) = delete;
    ~TerminatorProcess();

    pid_t pid() const { return pid_; }
    int process_fd() const { return process_.get(); }  // readable when it has ended

    // Returns when all workers use the plan; bounded. After a failure the process is of no use any more.
    Result<void> send(const PlanMessage& message);

    // Lets it drain and end, kills it when that takes longer. Returns how it ended, empty if in good order.
    std::string stop(std::chrono::milliseconds patience);
    // Kills it. It ends through process_fd().
    void kill() { life_line_.reset(); }

private:
    TerminatorProcess() = default;
    bool ends_within(std::chrono::milliseconds time) const;

    pid_t pid_ = 0;
    UniqueFd process_, channel_, life_line_;
};

}  // namespace umbra::agent
