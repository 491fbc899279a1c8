#include "rules/attach_policies.h"

#include "rules/suggest.h"

namespace umbra::rules {

namespace {

std::string place(const Location& location) { return location.file + ":" + std::to_string(location.at.line); }

void report_unknown(const MirrorPolicy& policy, const DocumentSet& documents, Diagnostics& diagnostics) {
    std::vector<std::string_view> names;
    for (const auto* rule : documents.all<RouteRule>()) {
        if (rule->ns == policy.ns) names.push_back(rule->name);
    }
    auto hint = did_you_mean(policy.target, names);
    if (hint.empty()) hint = "a policy is for a rule of its own namespace, '" + policy.ns + "'";
    diagnostics.add({Severity::warning, policy.location.file, policy.target_at.line, policy.target_at.column,
                     "spec.targetRef.name",
                     "no RouteRule '" + policy.rule_key() + "': MirrorPolicy " + policy.key() + " is not in force",
                     std::move(hint), true});
}

}  // namespace

std::map<std::string, const MirrorPolicy*> attach_policies(const DocumentSet& documents, Diagnostics& diagnostics) {
    std::map<std::string, const MirrorPolicy*> attached;
    for (const auto* policy : documents.all<MirrorPolicy>()) {
        if (!documents.find({"RouteRule", policy->ns, policy->target})) {
            report_unknown(*policy, documents, diagnostics);
            continue;
        }
        const auto [first, added] = attached.emplace(policy->rule_key(), policy);
        if (added) continue;
        diagnostics.add(Severity::error, {policy->location.file, policy->target_at}, "spec.targetRef.name",
                        "MirrorPolicy " + policy->key() + " (" + place(policy->location) + "): RouteRule " +
                            policy->rule_key() + " has a policy already, " + first->second->key() + " at " +
                            place(first->second->location),
                        "put both into one policy: further mirrors go to spec.mirrors");
    }
    return attached;
}

}  // namespace umbra::rules
