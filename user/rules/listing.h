// What `get` and `diff` show of documents and plans: rows and texts, no formatting for a terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/document_set.h"
#include "rules/plan.h"

namespace umbra::rules {

struct RuleRow {
    std::string key;
    std::int32_t precedence = 0;
    std::string destination;
    std::string mirror;                // host and labels, empty without a mirror
    std::size_t origins = 0;           // endpoints at which the rule is a candidate
    std::size_t mirror_endpoints = 0;  // different addresses and ports
    std::string status;                // "mirroring", "no mirror", "mirror off: ...", "no origin"
};

struct EndpointRow {
    Endpoint endpoint;
    std::string role;  // "origin" or "mirror"
    std::string service;
    std::uint16_t service_port = 0;
    std::vector<std::string> rules;  // keys: candidates best first, or the rules that mirror to it
};

struct PolicyRow {
    std::string key;
    std::string rule;  // key of the rule that it is for
    std::string protocol;
    std::size_t mirrors = 0;  // further ones
    std::string status;       // "in force" or "no such rule"
};

// name: "NAME" or "NAMESPACE/NAME" of a rule; empty: all. Stand-ins are left out.
std::vector<RuleRow> list_rules(const Plan& plan, std::string_view name = {});
// name: of a rule as above, a service's host or its first labels, or an address; empty: all.
std::vector<EndpointRow> list_endpoints(const Plan& plan, std::string_view name = {});

// name: "NAME" or "NAMESPACE/NAME" of a policy; empty: all.
std::vector<PolicyRow> list_policies(const DocumentSet& documents, std::string_view name = {});

// What changes from one set to the other: each object as added, changed (with its lines) or removed, the number of
// those unchanged, then the difference of the plans.
std::string describe_change(const DocumentSet& before, const Plan& old_plan, const DocumentSet& after,
                            const Plan& new_plan);

}  // namespace umbra::rules
