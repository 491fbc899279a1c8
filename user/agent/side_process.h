// SideProcess: an unprivileged process that the loader keeps running beside the terminator: controller or exporter. It
// is started again with a back-off when it ends.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <string>

#include "agent/back_off.h"
#include "agent/child_process.h"
#include "agent/watched.h"

namespace umbra::agent {

class SideProcess {
public:
    using Start = std::function<Result<ChildProcess>()>;
    SideProcess(asio::io_context& io, std::string name, Start start)
        : io_(io), name_(std::move(name)), start_(std::move(start)), timer_(io) {}

    void begin();
    // For good. Waits so long for an end that the caller has asked for, then kills it: a signal would be refused.
    void end(std::chrono::milliseconds patience);
    pid_t pid() const { return process_ ? process_->pid() : 0; }
    const std::string& name() const { return name_; }

private:
    void on_end();
    void start_later();

    asio::io_context& io_;
    std::string name_;
    Start start_;
    asio::steady_timer timer_;
    std::optional<ChildProcess> process_;
    std::optional<Watched> watched_;
    BackOff back_off_;
};

}  // namespace umbra::agent
