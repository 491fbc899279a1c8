// StatusWriter: this node's Lease, the election of a leader, and, for the leader, the status of rules and policies.
// What is forbidden of it is said and tried again; the rest goes on.
#pragma once

#include <map>
#include <string>

#include "kube/api_client.h"
#include "kube/leader_election.h"
#include "kube/node_lease_keeper.h"
#include "kube/status_book.h"

namespace umbra::kube {

class StatusWriter {
public:
    // identity: of this controller among those that may lead.
    StatusWriter(ApiClient& client, const std::string& node, const std::string& identity, const std::string& ns,
                 const Random& random);

    void report(Report report, TimeNs now) { keeper_.report(std::move(report), now); }
    StatusBook& book() { return book_; }
    NodeReports& nodes() { return nodes_; }
    // A Lease came or went.
    void nodes_changed() { book_.touch(); }

    // loader: it is connected; without it this node's lease is not renewed.
    void step(bool loader, TimeNs now);
    TimeNs wake_at(bool loader) const;
    void release(TimeNs now);
    bool released() const { return election_.released(); }

    bool leads(TimeNs now) const { return election_.leads(now); }
    const std::string& leader() const { return election_.holder(); }
    // Of the node's lease, the election and the last failed write; empty when all is well.
    std::string message() const;

private:
    template <class Machine>
    void advance(Machine& machine, const std::string& collection, const std::string& name, TimeNs now);
    void write(TimeNs now);

    ApiClient& client_;
    std::string ns_;
    LeaderElection election_;
    NodeLeaseKeeper keeper_;
    std::string node_lease_;
    StatusBook book_;
    NodeReports nodes_;
    std::map<std::string, std::string> write_messages_;  // by kind: a right is given for a kind
    TimeNs sum_at_ = 0;                                  // not before
    TimeNs stale_at_ = 0;                                // a node's lease runs out
    std::size_t under_way_ = 0;
    bool led_ = false;
    bool fresh_connection_ = false;  // the last one was silent
};

}  // namespace umbra::kube
