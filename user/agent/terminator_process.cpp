#include "agent/terminator_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

namespace umbra::agent {

namespace {

constexpr std::chrono::milliseconds kPlanPatience{2000};
constexpr std::chrono::milliseconds kKillPatience{2000};

Error failed(const std::string& attempt) { return {ErrorCode::failure, attempt + ": " + std::strerror(errno)}; }

// The numbers that the child inherits; only these stay open in it.
TerminatorOptions inherit(const loader::Datapath& datapath, const TerminatorSettings& settings, int channel) {
    TerminatorOptions options;
    for (unsigned i = 0; i < datapath.workers(); ++i) {
        options.workers.push_back(
            {UniqueFd(datapath.queue_fd(i)), UniqueFd(datapath.bare_queue_fd(i)), UniqueFd(datapath.ring_fd(i))});
    }
    options.ledger = UniqueFd(datapath.ledger_fd());
    options.worker_rows = UniqueFd(datapath.workers_fd());
    options.muted = UniqueFd(datapath.muted_fd());
    options.own = UniqueFd(datapath.own_fd());
    options.channel = UniqueFd(channel);
    options.queue_length = settings.queue_length;
    options.one_sided = settings.one_sided;
    options.injected_loss = settings.injected_loss;
    options.reassembly = settings.limits.reassembly;
    options.replay = settings.limits.replay;
    return options;
}

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

std::vector<int> descriptors_of(const TerminatorOptions& options) {
    std::vector<int> fds{options.ledger.get(), options.worker_rows.get(), options.muted.get(), options.own.get(),
                         options.channel.get()};
    for (const WorkerDescriptors& worker : options.workers)
        fds.insert(fds.end(), {worker.queue.get(), worker.bare_queue.get(), worker.ring.get()});
    return fds;
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

Result<void> live_as_terminator(TerminatorOptions options, const Identity& identity, int life_line) {
    reset_signals();
    ::prctl(PR_SET_NAME, "umbra-worker");
    std::vector<int> kept = descriptors_of(options);
    kept.push_back(life_line);
    close_all_but(kept);
    if (auto dropped = become_terminator(identity); !dropped) return dropped;
    if (auto held = hold_life_line(life_line); !held) return held;
    return run_terminator(std::move(options));
}

std::string describe_end(int status) {
    if (WIFEXITED(status)) {
        const int code = WEXITSTATUS(status);
        return code == 0 ? "" : "exit code " + std::to_string(code);
    }
    return "signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
}

}  // namespace

Result<TerminatorProcess> TerminatorProcess::start(const loader::Datapath& datapath,
                                                   const TerminatorSettings& settings) {
    int channel[2], life[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0) return failed("make, channel");
    TerminatorProcess process;
    process.channel_.reset(channel[0]);
    UniqueFd child_channel(channel[1]);
    if (::pipe2(life, O_CLOEXEC) != 0) return failed("make, life line");
    UniqueFd child_life(life[0]);
    process.life_line_.reset(life[1]);

    const pid_t pid = ::fork();
    if (pid < 0) return failed("start, terminator");
    if (pid == 0) {
        const auto end =
            live_as_terminator(inherit(datapath, settings, child_channel.get()), settings.identity, child_life.get());
        if (!end) spdlog::error("terminator: {}", end.error().message);
        ::_exit(end ? 0 : 1);
    }
    process.pid_ = pid;
    process.process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process.process_) return failed("watch, terminator");
    return process;
}

TerminatorProcess::~TerminatorProcess() {
    if (pid_ > 0) stop(std::chrono::milliseconds(0));
}

Result<void> TerminatorProcess::send(const PlanMessage& message) {
    if (auto sent = send_plan(channel_.get(), message); !sent) return sent;
    pollfd answer{channel_.get(), POLLIN, 0};
    int ready = 0;
    do ready = ::poll(&answer, 1, static_cast<int>(kPlanPatience.count()));
    while (ready < 0 && errno == EINTR);
    if (ready == 0) return Error{ErrorCode::failure, "hand over, plan: the terminator did not answer in time"};
    char byte = 0;
    if (ready < 0 || ::recv(channel_.get(), &byte, 1, MSG_DONTWAIT) != 1 || byte != 1)
        return Error{ErrorCode::failure, "hand over, plan: the terminator refused it or has ended"};
    return {};
}

bool TerminatorProcess::ends_within(std::chrono::milliseconds time) const {
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

std::string TerminatorProcess::stop(std::chrono::milliseconds patience) {
    channel_.reset();
    const bool in_time = process_ && ends_within(patience);
    life_line_.reset();
    if (!in_time && process_ && !ends_within(kKillPatience)) return "it does not end";
    int status = 0;
    if (::waitpid(std::exchange(pid_, 0), &status, 0) < 0) return "";
    return describe_end(status);
}

}  // namespace umbra::agent
