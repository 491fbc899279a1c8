#include "agent/side_process.h"

#include <spdlog/spdlog.h>

namespace umbra::agent {

void SideProcess::begin() {
    auto started = start_();
    back_off_.started();
    if (!started) {
        spdlog::error("the {} could not be started: {}", name_, started.error().message);
        return start_later();
    }
    process_.emplace(std::move(*started));
    spdlog::info("the {} runs pid={}", name_, process_->pid());
    watched_.emplace(io_, process_->process_fd());
    watched_->when_readable([this] { on_end(); });
}

void SideProcess::on_end() {
    watched_.reset();
    const std::string how = process_->stop(std::chrono::milliseconds(0));
    process_.reset();
    spdlog::warn("the {} ended how=\"{}\"; it is started again", name_, how.empty() ? "exit code 0" : how);
    start_later();
}

void SideProcess::start_later() {
    timer_.expires_after(back_off_.next());
    timer_.async_wait([this](const asio::error_code& error) {
        if (!error) begin();
    });
}

void SideProcess::end(std::chrono::milliseconds patience) {
    timer_.cancel();
    watched_.reset();
    if (!process_) return;
    process_->stop(patience);
    process_.reset();
}

}  // namespace umbra::agent
