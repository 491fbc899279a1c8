// Runtime: datapath and terminator together, with one plan in force in both. While there is no terminator nothing is
// cloned; the plan is kept and comes back in force with the next terminator.
//
// The terminator gets a plan before the kernel does: a handshake that is cloned for a terminator which does not know
// the endpoint yet would be lost for good, while a plan that is early costs nothing.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/ledger_reader.h"
#include "agent/terminator_process.h"
#include "base/result.h"
#include "loader/datapath.h"
#include "rules/plan.h"

namespace umbra::agent {

class Runtime {
public:
    static Result<std::unique_ptr<Runtime>> make(const loader::DatapathOptions& options,
                                                 const TerminatorSettings& settings);
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    // On failure the previous plan stays in force.
    Result<void> use(const rules::Plan& plan);
    Result<void> start_terminator();
    // One that was started elsewhere and has connected.
    Result<void> adopt_terminator(UniqueFd connection);
    // It has ended: cloning stops, what it had in flight is settled. Returns how it ended.
    std::string terminator_ended();
    // Devices, addresses or routes changed. Returns what was attached and detached.
    Result<loader::ApplyReport> refresh();
    // How much is cloned from now on, whatever plan, terminator or devices come. What is in flight drains.
    Result<void> set_share(loader::CloneShare share);
    // Stops cloning, lets the terminator drain and end.
    void stop();

    // Taking over from another agent; see Datapath.
    Result<loader::TakeReport> take(std::vector<loader::HandedLink> links) { return datapath_->take(std::move(links)); }
    void inherit_qdiscs(const std::set<std::uint32_t>& ifindexes) { datapath_->inherit_qdiscs(ifindexes); }
    // Being taken over.
    Result<void> halt() { return datapath_->halt(); }
    Result<void> take_back();
    // Returns when the terminator has read what was cloned so far, or patience ends.
    void await_captured(std::chrono::milliseconds patience) const;

    loader::CloneShare share() const { return datapath_->share(); }
    const loader::Datapath& datapath() const { return *datapath_; }
    const LedgerReader& ledger() const { return *ledger_; }
    const TerminatorSettings& settings() const { return settings_; }
    const std::vector<loader::RemoteEndpoint>& remote() const { return remote_; }
    const TerminatorProcess* terminator() const { return terminator_ ? &*terminator_ : nullptr; }
    unsigned restarts() const { return starts_ > 0 ? starts_ - 1 : 0; }

private:
    Runtime(std::unique_ptr<loader::Datapath> datapath, LedgerReader ledger, const TerminatorSettings& settings);
    Result<PlanMessage> message_for(const rules::Plan& plan) const;
    Result<void> put_in_force(const rules::Plan& plan);
    Result<void> apply_to_kernel(const rules::Plan& plan, const PlanMessage& message);

    std::unique_ptr<loader::Datapath> datapath_;
    std::optional<LedgerReader> ledger_;
    TerminatorSettings settings_;
    std::optional<TerminatorProcess> terminator_;
    std::vector<loader::RemoteEndpoint> remote_;
    rules::Plan plan_;  // wanted
    unsigned starts_ = 0;
};

}  // namespace umbra::agent
