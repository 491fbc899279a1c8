// The feed: what the controller process, which talks to the Kubernetes API, and the loader process tell each other over
// one stream socket. Frames as on the control socket (control/frame.h): four bytes of length, then JSON.
//
// controller to loader, Changes: objects that came, changed or went since the last frame, cut down to what Umbra reads
// (trim.h); they keep apiVersion, kind and metadata. `synced` is true from the frame on that completes the first
// picture of everything demanded, and stays true while the API is away: the last good picture is kept. loader to
// controller: Demand, what the loader needs to be told about, whenever it changes; and Report, the state of each rule
// and policy that came over the feed, whenever it changes.
//
// Both ends treat a broken frame as the end of the connection. After a reconnect the controller sends everything anew,
// beginning with `reset`, and the loader drops, once `synced` comes, what it was not told again.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/message.h"

namespace umbra::kube {

using control::Json;

inline constexpr std::size_t kMaxFrameBytes = 16u << 20;
inline constexpr std::size_t kMaxFrameObjects = 1000;

struct ObjectName {
    std::string kind;  // "Pod"
    std::string ns;
    std::string name;
    auto operator<=>(const ObjectName&) const = default;
};

struct Changes {
    bool reset = false;
    bool synced = false;
    std::vector<Json> objects;  // came or changed
    std::vector<ObjectName> deleted;
    Json health;  // null: unchanged; else as in health.h, whole

    bool empty() const { return !reset && objects.empty() && deleted.empty() && health.is_null(); }
};

// The services whose objects are needed. Rules, policies and ServiceEntries are always sent, and so are this node's
// pods. everything: all namespaces, because a rule names services by wildcard or address block.
struct Demand {
    bool everything = false;
    std::set<std::string> namespaces;      // Services and EndpointSlices of these
    std::set<std::string> pod_namespaces;  // and all nodes' Pods of these, because labels select among them
    bool operator==(const Demand&) const = default;
};

// One condition of an object's status: True or False with a reason in CamelCase and a sentence.
struct Verdict {
    bool holds = false;
    std::string reason;
    std::string message;
    bool operator==(const Verdict&) const = default;
};

// What this node says of one RouteRule or MirrorPolicy.
struct RuleReport {
    ObjectName object;
    std::int64_t generation = 0;  // metadata.generation that was judged
    Verdict accepted;             // the object is valid and takes part
    Verdict resolved;             // destination and mirrors name services that exist
    Verdict programmed;           // in the kernel and the terminator of this node
    std::uint32_t origins = 0;    // endpoints of this node whose traffic is mirrored
    std::uint32_t mirror_endpoints = 0;
    bool operator==(const RuleReport&) const = default;
};

struct Report {
    std::vector<RuleReport> rules;  // whole, by object
    bool operator==(const Report&) const = default;
};

Json to_json(const Changes& changes);
Json to_json(const Demand& demand);
Json to_json(const Report& report);
Result<Changes> changes_from(const Json& json);
Result<Demand> demand_from(const Json& json);
Result<Report> report_from(const Json& json);

// The length-prefixed frame of a message; "demand", "report" or "changes" is its only field.
std::string frame(const char* what, Json message);

}  // namespace umbra::kube
