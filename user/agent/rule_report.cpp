#include "agent/rule_report.h"

#include <algorithm>

#include "rules/listing.h"

namespace umbra::agent {

namespace {

using kube::Verdict;
using rules::Diagnostic;
using rules::ObjectState;
using rules::Severity;

constexpr std::size_t kMaxMessage = 1024;

// The findings that a filter takes, as one text; findings about the object need not name it.
template <class Filter>
std::string text_of(const ObjectState& state, Filter takes) {
    std::string text;
    for (const Diagnostic& found : state.findings) {
        if (!takes(found)) continue;
        if (!text.empty()) text += "; ";
        if (!found.path.empty()) text += found.path + ": ";
        text += found.message;
    }
    if (text.size() > kMaxMessage) text = text.substr(0, kMaxMessage - 3) + "...";
    return text;
}

Verdict accepted(const ObjectState& state) {
    const std::string errors = text_of(state, [](const Diagnostic& d) { return d.severity == Severity::error; });
    if (!state.valid) return {false, "Invalid", errors};
    if (state.in_conflict) return {false, "Conflicted", errors};
    const std::string warnings =
        text_of(state, [](const Diagnostic& d) { return d.severity == Severity::warning && !d.unresolved; });
    return {true, "Accepted", warnings.empty() ? "the object is valid" : warnings};
}

Verdict resolved(const ObjectState& state) {
    if (!state.accepted()) return {false, "NotAccepted", "the object is not accepted"};
    const std::string missing = text_of(state, [](const Diagnostic& d) { return d.unresolved; });
    return missing.empty() ? Verdict{true, "ResolvedRefs", "every service that it names is known"}
                           : Verdict{false, "RefNotFound", missing};
}

Verdict programmed(const ObjectState& state, const rules::RuleRow* row, const std::string& trouble) {
    if (!trouble.empty()) return {false, "NotInForce", trouble};
    if (!state.accepted()) return {false, "NotAccepted", "the object is not accepted"};
    if (!row) return {false, "NoSuchRule", "no rule is in force that this is about"};
    if (row->status.starts_with("mirroring")) return {true, "Programmed", row->status};
    if (row->status == "no origin") return {true, "NoOrigin", "no endpoint of the destination is on this node"};
    if (row->status == "no mirror") return {true, "NoMirror", "the rule names no mirror: it turns mirroring off"};
    return {false, "MirrorOff", row->status};
}

}  // namespace

kube::Report rule_report(const RuleStore& store, const std::string& trouble) {
    const auto rows = rules::list_rules(store.plan());
    const auto policies = store.all_documents().all<rules::MirrorPolicy>();
    const auto row_of = [&](const std::string& key) {
        const auto found = std::ranges::find(rows, key, &rules::RuleRow::key);
        return found == rows.end() ? nullptr : &*found;
    };
    kube::Report report;
    for (const auto& [key, state] : store.states()) {
        std::string rule = key.ns + "/" + key.name;
        if (key.kind == "MirrorPolicy") {
            const auto policy = std::ranges::find(policies, rule, &rules::MirrorPolicy::key);
            rule = policy == policies.end() ? "" : (*policy)->rule_key();
        }
        const rules::RuleRow* row = row_of(rule);
        kube::RuleReport entry{{key.kind, key.ns, key.name}, state.generation, accepted(state), resolved(state), {}};
        entry.programmed = programmed(state, row, trouble);
        entry.origins = row ? static_cast<std::uint32_t>(row->origins) : 0;
        entry.mirror_endpoints = row ? static_cast<std::uint32_t>(row->mirror_endpoints) : 0;
        report.rules.push_back(std::move(entry));
    }
    return report;
}

}  // namespace umbra::agent
