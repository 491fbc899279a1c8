// NodeLeaseKeeper: keeps this node's Lease renewed and its report true. A state machine like LeaderElection.
#pragma once

#include <optional>
#include <string>

#include "kube/leader_election.h"
#include "kube/node_lease.h"

namespace umbra::kube {

struct KeeperTimings {
    TimeNs renew = 15 * kSecond;
    TimeNs debounce = 500 * kMillisecond;  // a changed report waits so long for more
    TimeNs refused = 30 * kSecond;
};

class NodeLeaseKeeper {
public:
    NodeLeaseKeeper(std::string node, std::string ns, KeeperTimings timings)
        : node_(std::move(node)), ns_(std::move(ns)), timings_(timings) {}

    void report(Report report, TimeNs now);
    std::optional<ElectionStep> due(TimeNs now, double wall);  // PATCH (merge), or POST when there is no lease
    void answered(const ApiAnswer& answer, TimeNs now);
    TimeNs wake_at() const { return in_flight_ ? ~TimeNs{0} : not_before_; }
    const std::string& message() const { return message_; }

private:
    std::string node_, ns_;
    KeeperTimings timings_;
    Report report_;
    std::string message_;
    TimeNs not_before_ = 0;
    TimeNs refused_until_ = 0;
    bool in_flight_ = false, create_ = false, changed_ = false;
};

}  // namespace umbra::kube
