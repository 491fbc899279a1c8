#include "kube/status_sum.h"

#include <algorithm>
#include <utility>

#include "kube/json_text.h"

namespace umbra::kube {

namespace {

constexpr std::size_t kMaxMessage = 1024;

using Member = Verdict RuleReport::*;

// All nodes must agree that it holds; else the first that does not is quoted.
Verdict all_hold(const std::vector<NodeVerdict>& nodes, Member member) {
    for (const NodeVerdict& node : nodes) {
        const Verdict& verdict = node.rule->*member;
        if (!verdict.holds) return verdict;
    }
    return nodes.front().rule->*member;
}

struct Programmed {
    Verdict verdict;
    std::size_t count = 0;
};

// A node without endpoints of the rule has nothing to program and fails nothing.
Programmed programmed_on(const std::vector<NodeVerdict>& all, std::int64_t generation) {
    Programmed sum;
    const NodeVerdict* failing = nullptr;
    for (const NodeVerdict& node : all) {
        const bool current = node.rule->generation == generation;
        if (current && node.rule->programmed.holds) ++sum.count;
        if ((!current || !node.rule->programmed.holds) && node.rule->origins > 0 && !failing) failing = &node;
    }
    const std::string share = std::to_string(sum.count) + " of " + std::to_string(all.size()) + " nodes";
    if (failing && failing->rule->generation != generation) {
        sum.verdict = {
            false, "Pending",
            share + "; node " + failing->node + " has not yet taken generation " + std::to_string(generation)};
    } else if (failing) {
        const Verdict& verdict = failing->rule->programmed;
        sum.verdict = {false, verdict.reason, share + "; node " + failing->node + ": " + verdict.message};
    } else if (sum.count > 0) {
        sum.verdict = {true, "Programmed", "programmed on " + share};
    } else {
        const auto newest =
            std::ranges::find_if(all, [&](const NodeVerdict& node) { return node.rule->generation == generation; });
        sum.verdict = newest->rule->programmed;
    }
    return sum;
}

const Json* condition_of(const Json& status, const char* type) {
    for (const Json& condition : list_at(status, {"conditions"})) {
        if (text_at(condition, {"type"}) == type) return &condition;
    }
    return nullptr;
}

Json condition(const char* type, const Verdict& verdict, std::int64_t generation, const Json* before,
               const std::string& now) {
    const std::string status = verdict.holds ? "True" : "False";
    const bool stays = before && text_at(*before, {"status"}) == status;
    std::string since = stays ? text_at(*before, {"lastTransitionTime"}) : now;
    if (since.empty()) since = now;
    return {{"type", type},
            {"status", status},
            {"observedGeneration", generation},
            {"lastTransitionTime", since},
            {"reason", verdict.reason.empty() ? "Unknown" : verdict.reason},
            // Kubernetes 1.20 takes an empty text for null and refuses it.
            {"message", verdict.message.empty() ? "no details" : verdict.message.substr(0, kMaxMessage)}};
}

bool same(const Json& status, const Json& current) {
    const Json* count = find_at(current, {"nodes"});
    const Json* generation = find_at(current, {"observedGeneration"});
    if (!count || !generation || *generation != status["observedGeneration"]) return false;
    const auto same_number = [&](const char* key) {
        return number_at(*count, {key}) == number_at(status, {"nodes", key});
    };
    if (!same_number("programmed") || !same_number("total")) return false;
    return std::ranges::all_of(status["conditions"], [&](const Json& wanted) {
        const Json* there = condition_of(current, text_at(wanted, {"type"}).c_str());
        if (!there) return false;
        return std::ranges::all_of(wanted.items(), [&](const auto& field) {
            const auto found = there->find(field.key());
            return found != there->end() && *found == field.value();
        });
    });
}

}  // namespace

Json sum_status(const std::vector<NodeVerdict>& nodes, const Json& current, const std::string& now) {
    if (nodes.empty()) return {};
    const auto newer = [](const NodeVerdict& a, const NodeVerdict& b) {
        return a.rule->generation < b.rule->generation;
    };
    const std::int64_t generation = std::ranges::max_element(nodes, newer)->rule->generation;
    std::vector<NodeVerdict> newest;
    std::ranges::copy_if(nodes, std::back_inserter(newest),
                         [&](const NodeVerdict& node) { return node.rule->generation == generation; });
    const Programmed programmed = programmed_on(nodes, generation);
    const std::pair<const char*, Verdict> wanted[] = {{"Accepted", all_hold(newest, &RuleReport::accepted)},
                                                      {"ResolvedRefs", all_hold(newest, &RuleReport::resolved)},
                                                      {"Programmed", programmed.verdict}};
    Json conditions = Json::array();
    for (const Json& other : list_at(current, {"conditions"})) {
        const std::string type = text_at(other, {"type"});
        if (std::ranges::none_of(wanted, [&](const auto& ours) { return type == ours.first; }))
            conditions.push_back(other);
    }
    for (const auto& [type, verdict] : wanted)
        conditions.push_back(condition(type, verdict, generation, condition_of(current, type), now));
    Json status{{"observedGeneration", generation},
                {"conditions", std::move(conditions)},
                {"nodes", {{"programmed", programmed.count}, {"total", nodes.size()}}}};
    return same(status, current) ? Json() : status;
}

}  // namespace umbra::kube
