// Plan: what the rules compile to. A deterministic value: the same documents give the same plan in any file order.
// The loader writes it into the maps, the terminator routes requests by it, `umbra explain` prints it.
// Not here: rule slots, interfaces and generations, which belong to the running agent.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/ip_address.h"
#include "rules/mirror_settings.h"

namespace umbra::rules {

// One condition on a request; all of a rule's conditions must hold.
struct HeaderCondition {
    enum class Kind { exact, prefix, regex };
    std::string name;  // lower case; "uri", "method", "authority" and "scheme" mean those parts of the request
    Kind kind = Kind::exact;
    std::string value;
    bool operator==(const HeaderCondition&) const = default;
};

// Where the copies of one service port go.
struct MirrorTarget {
    std::uint16_t service_port = 0;
    std::vector<Endpoint> endpoints;  // sorted; empty: the mirror is off for this port
    bool operator==(const MirrorTarget&) const = default;
};

// One mirror of a rule.
struct PlanMirror {
    std::string host;  // resolved
    std::map<std::string, std::string> labels;
    std::vector<MirrorTarget> targets;  // sorted by service port
    std::string off_reason;             // why the mirror has no endpoints, for status
    double percent = 100.0;             // of what settings.sampling counts
    MirrorSettings settings;
    bool operator==(const PlanMirror&) const = default;

    // Where copies of calls to this service port go; null when nowhere.
    const MirrorTarget* live_target(std::uint16_t service_port) const;
};

struct PlanRule {
    // "namespace/name". A key that ends in "#unselected" is a stand-in: its rule wins at endpoints that the rule's
    // route does not select, so it mirrors nothing there.
    std::string key;
    std::int32_t precedence = 0;
    std::string destination;  // resolved host, e.g. "httpbin.default.svc.cluster.local"
    std::vector<HeaderCondition> request;
    std::vector<IpPrefix> sources;   // empty: any client
    bool source_restricted = false;  // true with empty sources: no client fits
    Protocol protocol = Protocol::automatic;
    std::vector<PlanMirror> mirrors;  // empty: this rule ends the search and mirrors nothing
    bool operator==(const PlanRule&) const = default;

    // Whether some mirror takes calls to this service port.
    bool is_live_at(std::uint16_t service_port) const;
    bool is_stand_in() const;
    // The key of a mirror's counters: the rule's own for the first, "KEY#2", "KEY#3", … for the further ones.
    std::string slot_key(std::size_t mirror) const;
    // How many such keys the rule has: at least its own.
    std::size_t slot_count() const { return mirrors.empty() ? 1 : mirrors.size(); }
};

inline constexpr std::string_view kStandInSuffix = "#unselected";

// One live endpoint of an origin service, with the rules that can apply to it, best first.
struct PlanOrigin {
    Endpoint endpoint;
    std::string service;  // host
    std::uint16_t service_port = 0;
    std::vector<std::uint32_t> candidates;  // indices into Plan::rules
    bool operator==(const PlanOrigin&) const = default;
};

struct Plan {
    std::vector<PlanRule> rules;      // sorted by precedence descending, then key
    std::vector<PlanOrigin> origins;  // sorted by endpoint; only those that some mirroring rule covers
    bool operator==(const Plan&) const = default;

    const PlanOrigin* find_origin(const Endpoint& endpoint) const;
};

// The keys of all counters of a plan: rule by rule, each with those of its further mirrors behind it.
std::vector<std::string> slot_keys(const Plan& plan);

// The parts of a request that conditions look at. Header names as the client wrote them.
struct RequestView {
    std::string_view method;
    std::string_view target;  // path and query as on the wire
    std::string_view authority;
    std::string_view scheme = "http";
    std::vector<std::pair<std::string_view, std::string_view>> headers;
};

}  // namespace umbra::rules
