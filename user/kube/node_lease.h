// A node's Lease: how each controller tells the leader that its node lives and what it reports of the rules.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kube/feed.h"

namespace umbra::kube {

inline constexpr const char* kRoleLabel = "umbra.dev/role";
inline constexpr const char* kReportAnnotation = "umbra.dev/report";
inline constexpr std::size_t kMaxAnnotation = 200u << 10;  // the API takes 256 KiB of all annotations together
inline constexpr TimeNs kNodeStale = 60 * kSecond;

std::string node_lease_name(const std::string& node);

// The whole lease for a POST; the same without kind and name serves as a merge patch.
Json node_lease(const std::string& node, const std::string& ns, const Report& report, double wall);

// What a report says in a lease, compact: rules past the limit are left out from the end.
std::string report_text(const Report& report);

struct NodeReport {
    std::string node;
    Report report;
};

// The nodes' leases as the leader watches them. A node counts while its lease was seen to change within kNodeStale.
class NodeReports {
public:
    void list_begins() { ++list_; }
    // wall: seconds since 1970. A lease that is new here and long since not renewed does not count.
    void put(const Json& lease, TimeNs now, double wall);
    void removed(const Json& lease);
    void list_ends();
    void clear() {
        nodes_.clear();
        complete_ = false;
    }
    bool complete() const { return complete_; }  // a list has ended

    std::vector<NodeReport> fresh(TimeNs now) const;
    // When the next of them gets stale; the far future if none does.
    TimeNs stale_at(TimeNs now) const;

private:
    struct Node {
        std::string renewed, text;
        NodeReport report;
        TimeNs fresh_until = 0;
        std::uint64_t list = 0;
    };
    std::map<std::string, Node> nodes_;  // by the lease's name
    std::uint64_t list_ = 0;
    bool complete_ = false;
    bool full_ = false;  // said so
};

}  // namespace umbra::kube
