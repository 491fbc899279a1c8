#include "agent/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace umbra::agent {

namespace {

constexpr std::chrono::milliseconds kKillPatience{2000};

Error failed(const std::string& attempt) { return {ErrorCode::failure, attempt + ": " + std::strerror(errno)}; }

void close_all_but(std::vector<int> kept) {
    std::ranges::sort(kept);
    unsigned from = STDERR_FILENO + 1;
    for (const int fd : kept) {
        const auto number = static_cast<unsigned>(fd);
        if (number > from) ::syscall(SYS_close_range, from, number - 1, 0u);
        from = std::max(from, number + 1);
    }
    ::syscall(SYS_close_range, from, ~0u, 0u);
}

// From here on the kernel kills this process when the other end of the pipe closes.
Result<void> hold_life_line(int life_line) {
    if (::fcntl(life_line, F_SETOWN, ::getpid()) != 0 || ::fcntl(life_line, F_SETSIG, SIGKILL) != 0 ||
        ::fcntl(life_line, F_SETFL, O_ASYNC | O_NONBLOCK) != 0)
        return failed("hold, life line");
    pollfd end{life_line, POLLIN, 0};
    if (::poll(&end, 1, 0) != 0) return Error{ErrorCode::failure, "hold, life line: the loader is gone"};
    return {};
}

void reset_signals() {
    ::setsid();  // the terminal's signals are for the loader
    sigset_t none;
    sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

Result<void> live(const ChildOptions& options, int life_line) {
    reset_signals();
    ::prctl(PR_SET_NAME, options.name);
    std::vector<int> kept = options.kept;
    kept.push_back(life_line);
    close_all_but(kept);
    if (auto dropped = become_unprivileged(options.identity); !dropped) return dropped;
    if (auto held = hold_life_line(life_line); !held) return held;
    return options.body();
}

std::string describe_end(int status) {
    if (WIFEXITED(status)) {
        const int code = WEXITSTATUS(status);
        return code == 0 ? "" : "exit code " + std::to_string(code);
    }
    return "signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const ChildOptions& options) {
    int life[2];
    if (::pipe2(life, O_CLOEXEC) != 0) return failed("make, life line");
    ChildProcess process;
    UniqueFd child_life(life[0]);
    process.life_line_.reset(life[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return failed(std::string("start, ") + options.name);
    if (pid == 0) {
        const auto end = live(options, child_life.get());
        if (!end) spdlog::error("{}: {}", options.name, end.error().message);
        ::_exit(end ? 0 : 1);
    }
    process.pid_ = pid;
    process.process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process.process_) return failed(std::string("watch, ") + options.name);
    return process;
}

ChildProcess::~ChildProcess() {
    if (pid_ > 0) stop(std::chrono::milliseconds(0));
}

bool ChildProcess::ends_within(std::chrono::milliseconds time) const {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (true) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd end{process_.get(), POLLIN, 0};
        const int ready = ::poll(&end, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (ready > 0) return true;
        if (ready == 0 || errno != EINTR) return false;
    }
}

std::string ChildProcess::stop(std::chrono::milliseconds patience) {
    const bool in_time = process_ && ends_within(patience);
    life_line_.reset();
    if (!in_time && process_ && !ends_within(kKillPatience)) return "it does not end";
    int status = 0;
    if (pid_ <= 0 || ::waitpid(std::exchange(pid_, 0), &status, 0) < 0) return "";
    return describe_end(status);
}

}  // namespace umbra::agent
