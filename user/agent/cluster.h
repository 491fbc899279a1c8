// Cluster: the agent's rules and registry as a Kubernetes cluster has them. Takes the controller's feed into the store,
// compiles what came in bursts once, puts a changed plan in force and reports what became of each rule.
// Until the first picture is complete nothing of it is in force; when the controller goes, the last picture stays.
#pragma once

#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "agent/cluster_feed.h"
#include "agent/rule_store.h"
#include "agent/runtime.h"
#include "agent/watched.h"
#include "control/listener.h"

namespace umbra::agent {

class Cluster {
public:
    // peers: the group whose members may be the controller.
    Cluster(asio::io_context& io, RuleStore& store, Runtime& runtime, std::optional<gid_t> peers);

    // Controllers connect there; it outlives this object.
    void listen(const control::Listener& socket);
    void adopt(UniqueFd connection);
    void close() { feed_.close(); }

    // The local documents or the terminator changed, or cloning was paused or goes on.
    void recheck() { schedule(); }
    // While it is held nothing changes; what comes waits.
    void hold(bool held);
    // The first picture is complete and what it says in force.
    bool in_force() const { return synced_ && !pending_ && trouble_.empty(); }
    const std::string& trouble() const { return trouble_; }
    // For `umbra status`.
    control::Json status() const;

private:
    using Clock = std::chrono::steady_clock;

    void watch_door();
    void admit(int door);
    void take(kube::Changes changes);
    void schedule();
    void retry();
    void update();
    void tell();

    RuleStore& store_;
    Runtime& runtime_;
    asio::io_context& io_;
    std::optional<gid_t> peers_;
    ClusterFeed feed_;
    asio::steady_timer timer_, retry_timer_;
    std::optional<Watched> door_;
    int door_fd_ = -1;
    Clock::time_point rested_;  // from when on the next plan may be compiled
    bool pending_ = false;
    bool held_ = false;
    bool synced_ = false;
    bool marked_ = false;  // a new picture is coming; what it does not hold goes
    std::string trouble_;  // why the plan is not in force
    kube::Json health_;
    std::optional<kube::Demand> told_demand_;
    std::optional<kube::Report> told_report_;
    std::uint64_t changes_ = 0;
    std::uint64_t plans_ = 0;
};

}  // namespace umbra::agent
