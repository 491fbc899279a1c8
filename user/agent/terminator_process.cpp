#include "agent/terminator_process.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "agent/syscall_filter.h"
#include "terminator/setup_message.h"

namespace umbra::agent {

namespace {

constexpr std::chrono::milliseconds kPlanPatience{2000};

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
    options.protocol = settings.limits.protocol;
    return options;
}

std::vector<int> descriptors_of(const TerminatorOptions& options) {
    std::vector<int> fds{options.ledger.get(), options.worker_rows.get(), options.muted.get(), options.own.get(),
                         options.channel.get()};
    for (const WorkerDescriptors& worker : options.workers)
        fds.insert(fds.end(), {worker.queue.get(), worker.bare_queue.get(), worker.ring.get()});
    return fds;
}

// The numbers stay the datapath's: nothing of the options may close them.
void let_go(TerminatorOptions& options) {
    for (UniqueFd* fd : {&options.ledger, &options.worker_rows, &options.muted, &options.own, &options.channel})
        (void)fd->release();
    for (WorkerDescriptors& worker : options.workers)
        for (UniqueFd* fd : {&worker.queue, &worker.bare_queue, &worker.ring}) (void)fd->release();
}

bool answers_within(int channel, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (true) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd answer{channel, POLLIN, 0};
        const int ready = ::poll(&answer, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (ready >= 0 || errno != EINTR) return ready > 0;
    }
}

}  // namespace

Result<TerminatorProcess> TerminatorProcess::start(const loader::Datapath& datapath,
                                                   const TerminatorSettings& settings) {
    int channel[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0) return failed("make, channel");
    TerminatorProcess process;
    process.channel_.reset(channel[0]);
    UniqueFd child_channel(channel[1]);
    TerminatorOptions options = inherit(datapath, settings, child_channel.get());
    ChildOptions child{"umbra-worker", settings.identity, descriptors_of(options), [&options]() -> Result<void> {
                           if (auto filtered = filter_syscalls(); !filtered) return filtered;
                           return run_terminator(std::move(options));
                       }};
    auto started = ChildProcess::start(child);
    let_go(options);
    if (!started) return started.error();
    process.child_.emplace(std::move(*started));
    return process;
}

Result<TerminatorProcess> TerminatorProcess::adopt(UniqueFd connection, const loader::Datapath& datapath,
                                                   const TerminatorSettings& settings) {
    TerminatorProcess process;
    TerminatorOptions options = inherit(datapath, settings, -1);
    const auto sent = send_setup(connection.get(), options);
    let_go(options);
    if (!sent) return sent.error();
    if (!answers_within(connection.get(), kPlanPatience))
        return Error{ErrorCode::failure, "set up, terminator: it did not answer in time"};
    const auto answer = read_setup_answer(connection.get());
    if (!answer) return answer.error();
    process.self_report_ = *answer;
    process.channel_ = std::move(connection);
    return process;
}

Result<void> TerminatorProcess::send(const PlanMessage& message) {
    if (auto sent = send_plan(channel_.get(), message); !sent) return sent;
    if (!answers_within(channel_.get(), kPlanPatience))
        return Error{ErrorCode::failure, "hand over, plan: the terminator did not answer in time"};
    char byte = 0;
    if (::recv(channel_.get(), &byte, 1, MSG_DONTWAIT) != 1 || byte != 1)
        return Error{ErrorCode::failure, "hand over, plan: the terminator refused it or has ended"};
    return {};
}

bool TerminatorProcess::has_ended() const {
    if (child_) return true;  // its process_fd() is readable for nothing else
    char byte = 0;
    const auto got = ::recv(channel_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    // Its answers are taken where they are asked for: unasked bytes are the end, too.
    return got >= 0 || (errno != EAGAIN && errno != EINTR);
}

std::string TerminatorProcess::stop(std::chrono::milliseconds patience) {
    if (child_) {
        channel_.reset();
        return child_->stop(patience);
    }
    if (!channel_) return "";
    ::shutdown(channel_.get(), SHUT_WR);
    const bool ended = answers_within(channel_.get(), patience) && has_ended();
    channel_.reset();
    return ended ? "" : "its connection was closed before it had ended";
}

void TerminatorProcess::kill() {
    if (child_)
        child_->kill();
    else if (channel_)
        ::shutdown(channel_.get(), SHUT_RDWR);
}

}  // namespace umbra::agent
