// ChildProcess: a process of the agent with fewer rights than the loader, forked by it. Its life line is a pipe whose
// end kills it, by the kernel, however the loader ended. (The signal of PR_SET_PDEATHSIG would be refused: the child is
// another user's and the loader has no CAP_KILL.)
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "agent/privileges.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace umbra::agent {

struct ChildOptions {
    const char* name;       // of the process, at most 15 characters
    Identity identity;      // whom it becomes
    std::vector<int> kept;  // the only descriptors, beside the standard ones, that stay open in it
    std::function<Result<void>()> body;
};

class ChildProcess {
public:
    // Forks: the calling process must have one thread.
    static Result<ChildProcess> start(const ChildOptions& options);
    ChildProcess() = default;
    ChildProcess(ChildProcess&& other) noexcept
        : pid_(std::exchange(other.pid_, 0)),
          process_(std::move(other.process_)),
          life_line_(std::move(other.life_line_)) {}
    ChildProcess& operator=(ChildProcess&&) = delete;
    ~ChildProcess();

    pid_t pid() const { return pid_; }
    int process_fd() const { return process_.get(); }  // readable when it has ended

    // Waits for its end, which the caller has asked for, and kills it when that takes longer. Returns how it ended,
    // empty if in good order.
    std::string stop(std::chrono::milliseconds patience);
    // Kills it. It ends through process_fd().
    void kill() { life_line_.reset(); }

private:
    bool ends_within(std::chrono::milliseconds time) const;

    pid_t pid_ = 0;
    UniqueFd process_, life_line_;
};

}  // namespace umbra::agent
