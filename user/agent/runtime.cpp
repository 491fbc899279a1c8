#include "agent/runtime.h"

#include <spdlog/spdlog.h>

#include <thread>

namespace umbra::agent {

namespace {

constexpr std::chrono::milliseconds kStopPatience{3000};

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::make(const loader::DatapathOptions& options,
                                               const TerminatorSettings& settings) {
    auto datapath = loader::Datapath::make(options);
    if (!datapath) return datapath.error();
    auto ledger = LedgerReader::make(**datapath, options.queue_length);
    if (!ledger) return ledger.error();
    return std::unique_ptr<Runtime>(new Runtime(std::move(*datapath), std::move(*ledger), settings));
}

Runtime::Runtime(std::unique_ptr<loader::Datapath> datapath, LedgerReader ledger, const TerminatorSettings& settings)
    : datapath_(std::move(datapath)), ledger_(std::move(ledger)), settings_(settings) {}

Result<PlanMessage> Runtime::message_for(const rules::Plan& plan) const {
    auto slots = datapath_->preview_slots(plan);
    if (!slots) return slots.error();
    return PlanMessage{datapath_->generation() + 1, plan, std::move(*slots)};
}

Result<void> Runtime::use(const rules::Plan& plan) {
    // Without a terminator only what the next one will be given changes.
    if (terminator_) {
        if (auto used = put_in_force(plan); !used) return used;
    }
    plan_ = plan;
    return {};
}

Result<void> Runtime::put_in_force(const rules::Plan& plan) {
    const auto message = message_for(plan);
    if (!message) return message.error();
    if (auto sent = terminator_->send(*message); !sent) {
        terminator_->kill();
        return sent;
    }
    auto applied = apply_to_kernel(plan, *message);
    if (applied) return applied;
    const auto previous = message_for(plan_);
    if (!previous || !terminator_->send(*previous)) terminator_->kill();
    return applied;
}

Result<void> Runtime::apply_to_kernel(const rules::Plan& plan, const PlanMessage& message) {
    std::map<std::string, std::uint32_t> coming;
    const auto keys = rules::slot_keys(plan);
    for (std::size_t i = 0; i < keys.size(); ++i) coming[keys[i]] = message.slots[i];
    if (auto noted = ledger_->before_apply(coming); !noted) return noted;
    auto report = datapath_->apply(plan);
    if (!report) return report.error();
    ledger_->applied();
    remote_ = std::move(report->remote);
    return {};
}

Result<void> Runtime::start_terminator() {
    auto process = TerminatorProcess::start(*datapath_, settings_);
    if (!process) return process.error();
    terminator_.emplace(std::move(*process));
    ++starts_;
    return put_in_force(plan_);
}

Result<void> Runtime::adopt_terminator(UniqueFd connection) {
    auto process = TerminatorProcess::adopt(std::move(connection), *datapath_, settings_);
    if (!process) return process.error();
    terminator_.emplace(std::move(*process));
    ++starts_;
    return put_in_force(plan_);
}

std::string Runtime::terminator_ended() {
    if (const auto stopped = datapath_->stop_cloning(); !stopped)
        spdlog::error("cloning goes on without a terminator: {}", stopped.error().message);
    const bool adopted = terminator_ && terminator_->pid() == 0;
    const std::string how = terminator_ ? terminator_->stop(std::chrono::milliseconds(0)) : "";
    terminator_.reset();
    ledger_->settle_dead_workers();
    if (adopted) return "its connection ended";
    return how.empty() ? "exit code 0" : how;
}

Result<loader::ApplyReport> Runtime::refresh() {
    auto report = datapath_->refresh();
    if (report) remote_ = report->remote;
    return report;
}

Result<void> Runtime::set_share(loader::CloneShare share) {
    auto report = datapath_->set_share(share);
    if (!report) return report.error();
    remote_ = std::move(report->remote);
    return {};
}

void Runtime::stop() {
    if (const auto stopped = datapath_->stop_cloning(); !stopped)
        spdlog::warn("cloning goes on until the end: {}", stopped.error().message);
    if (!terminator_) return;
    const std::string how = terminator_->stop(kStopPatience);
    if (!how.empty()) spdlog::warn("the terminator did not end in good order: {}", how);
    terminator_.reset();
    ledger_->settle_dead_workers();
}

Result<void> Runtime::take_back() {
    auto report = datapath_->take_back();
    if (!report) return report.error();
    remote_ = std::move(report->remote);
    return {};
}

void Runtime::await_captured(std::chrono::milliseconds patience) const {
    constexpr std::chrono::milliseconds kStep{5};
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < deadline) {
        const auto reading = ledger_->read();
        if (!reading || close_ledger(*reading).in_queue <= 0) return;
        std::this_thread::sleep_for(kStep);
    }
}

}  // namespace umbra::agent
