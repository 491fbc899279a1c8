#include "rules/live_set.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "rules/limits.h"

namespace umbra::rules {

namespace {

using Json = nlohmann::ordered_json;

std::string text_at(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t generation_of(const Json& metadata) {
    const auto found = metadata.find("generation");
    return found != metadata.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

bool is_written(const ObjectKey& key) { return key.kind == "RouteRule" || key.kind == "MirrorPolicy"; }

std::vector<Diagnostic> errors_of(const std::vector<Diagnostic>& findings) {
    std::vector<Diagnostic> errors;
    std::ranges::copy_if(findings, std::back_inserter(errors),
                         [](const Diagnostic& found) { return found.severity == Severity::error; });
    return errors;
}

}  // namespace

void LiveSet::put(const Json& json) {
    const auto metadata = json.find("metadata");
    if (metadata == json.end() || !metadata->is_object()) return;
    std::string ns = text_at(*metadata, "namespace");
    if (ns.empty()) ns = "default";
    const ObjectKey key{text_at(json, "kind"), ns, text_at(*metadata, "name")};
    Diagnostics diagnostics;
    auto object = decode_api_object(json, diagnostics);
    const bool valid = object && !diagnostics.has_errors();
    if (!object && !is_written(key)) return;
    Entry& entry = entries_[key];
    entry.marked = false;
    entry.state = {generation_of(*metadata), valid, false, diagnostics.take()};
    if (valid)
        documents_.put(std::move(*object));
    else if (!is_written(key))
        documents_.erase(key);
}

void LiveSet::erase(const ObjectKey& key) {
    entries_.erase(key);
    documents_.erase(key);
}

void LiveSet::mark() {
    for (auto& [key, entry] : entries_) entry.marked = true;
}

void LiveSet::sweep() {
    for (auto it = entries_.begin(); it != entries_.end();) {
        if (!it->second.marked) {
            ++it;
            continue;
        }
        documents_.erase(it->first);
        it = entries_.erase(it);
    }
}

LiveOutcome LiveSet::compile(const DocumentSet& local, const CompileOptions& options) const {
    LiveOutcome outcome;
    outcome.accepted = documents_;
    std::map<std::string, ObjectKey> by_name;  // as findings name them
    for (const auto& [key, entry] : entries_) {
        if (!is_written(key)) continue;
        outcome.states.emplace(key, entry.state);
        if (!local.find(key)) by_name.emplace(key.to_string(), key);
    }
    for (int round = 0; round < kMaxRounds; ++round) {
        Diagnostics diagnostics;
        DocumentSet whole = local;
        whole.add_beneath(outcome.accepted);
        Plan plan = rules::compile(whole, options, diagnostics);
        const bool sound = !diagnostics.has_errors();
        const auto findings = diagnostics.take();
        bool excluded = false;
        for (const Diagnostic& found : findings) {
            const auto object = by_name.find(found.file);
            if (object == by_name.end() || (!sound && found.severity != Severity::error)) continue;
            ObjectState& state = outcome.states[object->second];
            state.findings.push_back(found);
            if (sound) continue;
            state.in_conflict = true;
            outcome.accepted.erase(object->second);
            excluded = true;
        }
        if (sound) {
            outcome.plan = std::move(plan);
            return outcome;
        }
        outcome.errors = errors_of(findings);
        if (!excluded) return outcome;
        outcome.errors.clear();
    }
    outcome.errors.push_back({Severity::error, "", 0, 0, "", "too many objects contradict each other", "", false});
    return outcome;
}

}  // namespace umbra::rules
