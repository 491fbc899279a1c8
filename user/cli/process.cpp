#include "cli/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/unique_fd.h"

extern char** environ;

namespace umbra::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxErrorText = 1u << 20;

// The three ends that stay here. Standard input is a socket, so that a reader that went away is an error, not a signal.
struct Pipes {
    UniqueFd in, out, err;
};

class Child {
public:
    Child(pid_t pid, Pipes pipes, const ProcessRequest& request)
        : pid_(pid), pipes_(std::move(pipes)), request_(request), deadline_(Clock::now() + request.timeout) {}
    ~Child() {
        if (reaped_) return;
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    Result<ProcessOutcome> finish() {
        if (request_.input.empty()) pipes_.in.reset();
        while (pipes_.out || pipes_.err) {
            if (Clock::now() >= deadline_) return too_long();
            exchange();
            if (outcome_.out.size() > request_.max_output) return failed("it says too much");
        }
        pipes_.in.reset();
        int status = 0;
        for (;;) {
            const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
            if (ended == pid_) break;
            if (Clock::now() >= deadline_) return too_long();
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        reaped_ = true;
        outcome_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return std::move(outcome_);
    }

private:
    Error failed(const std::string& why) const { return {ErrorCode::failure, "run " + request_.argv[0] + ": " + why}; }
    Error too_long() const {
        return failed("not finished within " + std::to_string(request_.timeout.count() / 1000) + " s");
    }

    void exchange() {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
        std::array<pollfd, 3> fds{{{pipes_.in ? pipes_.in.get() : -1, POLLOUT, 0},
                                   {pipes_.out ? pipes_.out.get() : -1, POLLIN, 0},
                                   {pipes_.err ? pipes_.err.get() : -1, POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), static_cast<int>(left) + 1) <= 0) return;
        if (fds[0].revents != 0) write_some();
        if (fds[1].revents != 0) read_some(pipes_.out, outcome_.out, request_.max_output + 1);
        if (fds[2].revents != 0) read_some(pipes_.err, outcome_.err, kMaxErrorText);
    }

    void write_some() {
        const ssize_t sent = ::send(pipes_.in.get(), request_.input.data() + written_, request_.input.size() - written_,
                                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (sent > 0) written_ += static_cast<std::size_t>(sent);
        if (sent < 0 || written_ == request_.input.size()) pipes_.in.reset();
    }

    static void read_some(UniqueFd& fd, std::string& into, std::size_t most) {
        std::array<char, 65536> buffer;
        const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) return fd.reset();
        const std::size_t room = most > into.size() ? most - into.size() : 0;
        into.append(buffer.data(), std::min(static_cast<std::size_t>(got), room));
    }

    pid_t pid_;
    Pipes pipes_;
    const ProcessRequest& request_;
    Clock::time_point deadline_;
    std::size_t written_ = 0;
    ProcessOutcome outcome_;
    bool reaped_ = false;
};

bool make_pipe(UniqueFd& mine, UniqueFd& theirs) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    mine.reset(ends[0]);
    theirs.reset(ends[1]);
    return true;
}

bool make_pipes(Pipes& mine, Pipes& theirs) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    mine.in.reset(ends[0]);
    theirs.in.reset(ends[1]);
    return make_pipe(mine.out, theirs.out) && make_pipe(mine.err, theirs.err);
}

int spawn(const std::vector<std::string>& argv, const Pipes& theirs, pid_t& pid) {
    std::vector<char*> raw;
    for (const auto& argument : argv) raw.push_back(const_cast<char*>(argument.c_str()));
    raw.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.in.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.out.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.err.get(), STDERR_FILENO);
    const int failure = ::posix_spawnp(&pid, raw[0], &actions, nullptr, raw.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    return failure;
}

}  // namespace

Result<ProcessOutcome> run_process(const ProcessRequest& request) {
    Pipes mine, theirs;
    if (!make_pipes(mine, theirs))
        return Error{ErrorCode::failure, "run " + request.argv[0] + ", make pipes: " + std::strerror(errno)};
    pid_t pid = -1;
    if (const int failure = spawn(request.argv, theirs, pid); failure != 0)
        return Error{ErrorCode::failure, "run " + request.argv[0] + ": " + std::strerror(failure),
                     failure == ENOENT ? "install it, or put its folder into PATH" : ""};
    theirs = {};
    return Child(pid, std::move(mine), request).finish();
}

}  // namespace umbra::cli
