#include "agent/remote_terminator.h"

#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>

#include "agent/log.h"
#include "agent/privileges.h"
#include "agent/process_info.h"
#include "agent/syscall_filter.h"
#include "control/address.h"
#include "terminator/setup_message.h"

namespace umbra::agent {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5000};
constexpr std::chrono::seconds kSteadyLife{10};
constexpr milliseconds kStopPatience{3000};

Error failed(const std::string& attempt) { return {ErrorCode::failure, attempt + ": " + std::strerror(errno)}; }

Result<UniqueFd> connect_to(const std::string& path) {
    const auto address = control::unix_address(path);
    if (!address) return address.error();
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket) return failed("open, socket");
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0)
        return failed("connect to the loader, '" + path + "'");
    return socket;
}

std::string identity() {
    const auto info = read_process(::getpid());
    if (!info) return "{}";
    return to_json(*info).dump();
}

Result<void> serve(UniqueFd connection) {
    if (auto filtered = filter_syscalls(); !filtered) return filtered;
    auto options = receive_setup(std::move(connection));
    if (!options) return options.error();
    if (auto answered = acknowledge_setup(options->channel.get(), identity()); !answered) return answered;
    spdlog::info("serving workers={}", options->workers.size());
    return run_terminator(std::move(*options));
}

// Waits for one of the blocked signals; 0 when the time is over.
int next_signal(const sigset_t& signals, milliseconds time) {
    const timespec limit{time.count() / 1000, (time.count() % 1000) * 1'000'000};
    const int signal = ::sigtimedwait(&signals, nullptr, &limit);
    return signal > 0 ? signal : 0;
}

class Supervisor {
public:
    explicit Supervisor(std::string path) : path_(std::move(path)) {
        sigemptyset(&signals_);
        for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&signals_, signal);
        ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
        std::signal(SIGPIPE, SIG_IGN);
    }

    void run() {
        std::string last;
        while (!ending_) {
            auto connection = connect_to(path_);
            if (connection) {
                last.clear();
                serve_in_child(std::move(*connection));
            } else if (connection.error().message != last) {
                last = connection.error().message;
                spdlog::warn("{}; trying again", last);
            }
            if (!ending_) pause();
        }
    }

private:
    void serve_in_child(UniqueFd connection) {
        const auto started = std::chrono::steady_clock::now();
        const pid_t pid = ::fork();
        if (pid < 0) return spdlog::error("start, session: {}", std::strerror(errno));
        if (pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
            const auto end = serve(std::move(connection));
            if (!end) spdlog::error("{}", end.error().message);
            ::_exit(end ? 0 : 1);
        }
        connection.reset();
        await(pid);
        if (std::chrono::steady_clock::now() - started > kSteadyLife) pause_ = kFirstPause;
    }

    void await(pid_t pid) {
        int status = 0;
        while (::waitpid(pid, &status, WNOHANG) == 0) {
            const int signal = next_signal(signals_, ending_ ? kStopPatience : milliseconds(60'000));
            if (ending_ && signal == 0) ::kill(pid, SIGKILL);
            if (signal != SIGTERM && signal != SIGINT) continue;
            ending_ = true;
            ::kill(pid, SIGTERM);
        }
        if (WIFSIGNALED(status)) spdlog::error("the session ended by signal {}", WTERMSIG(status));
    }

    void pause() {
        const int signal = next_signal(signals_, pause_);
        ending_ = signal == SIGTERM || signal == SIGINT;
        pause_ = std::min(pause_ * 2, kLongestPause);
    }

    std::string path_;
    sigset_t signals_{};
    milliseconds pause_ = kFirstPause;
    bool ending_ = false;
};

}  // namespace

Result<void> run_remote_terminator(const std::string& socket_path, const std::string& log_level) {
    start_log(log_level);
    raise_file_limit();
    if (auto dropped = become_unprivileged(terminator_identity()); !dropped) return dropped;
    Supervisor(socket_path).run();
    return {};
}

}  // namespace umbra::agent
