// StatusBook: the RouteRules and MirrorPolicies there are, with the status that the API holds of them, and which of
// them must be written anew.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kube/api_answer.h"
#include "kube/node_lease.h"
#include "kube/resource.h"

namespace umbra::kube {

struct StatusWrite {
    ObjectName object;
    std::string path;
    std::string patch;  // merge patch
};

struct WriteOutcome {
    std::string message;  // of a failed write
    bool failed() const { return !message.empty(); }
};

class StatusBook {
public:
    void list_begins(const Resource& resource) { ++lists_[resource.kind]; }
    void put(const Resource& resource, std::size_t version, const Json& object);
    void removed(const Resource& resource, const Json& object);
    void list_ends(const Resource& resource);

    // What to write now so that the API says what the nodes say, at most `most`; those count as under way.
    std::vector<StatusWrite> due(const std::vector<NodeReport>& nodes, std::size_t most, TimeNs now, double wall);
    // The write of an object ended. 404: it is gone, or its kind has no status subresource.
    WriteOutcome written(const ObjectName& object, const ApiAnswer& answer, TimeNs now);

    // Something has changed since due() last had nothing to say.
    bool changed() const { return changed_; }
    void touch() { changed_ = true; }
    // When an object that could not be written is tried again; the far future if there is none.
    TimeNs retry_at() const;

private:
    struct Object {
        std::string path;
        Json status;  // its conditions, observedGeneration and nodes
        TimeNs not_before = 0;
        bool under_way = false;
        std::uint64_t list = 0;
    };

    void take_status(Object& object, const Json& from);

    std::map<ObjectName, Object> objects_;
    std::map<std::string, std::uint64_t> lists_;
    bool changed_ = false;
    bool full_ = false;  // said so
};

}  // namespace umbra::kube
