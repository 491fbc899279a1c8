#include "kube/status_book.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "kube/json_text.h"
#include "kube/limits.h"
#include "kube/status_sum.h"
#include "kube/trim.h"
#include "kube/wall_time.h"

namespace umbra::kube {

namespace {

constexpr TimeNs kFailedPause = 5 * kSecond;
constexpr TimeNs kRefusedPause = 30 * kSecond;
constexpr TimeNs kNoStatusPause = 60 * kSecond;

std::map<ObjectName, std::vector<NodeVerdict>> by_object(const std::vector<NodeReport>& nodes) {
    std::map<ObjectName, std::vector<NodeVerdict>> verdicts;
    for (const NodeReport& node : nodes) {
        for (const RuleReport& rule : node.report.rules) verdicts[rule.object].push_back({node.node, &rule});
    }
    return verdicts;
}

}  // namespace

void StatusBook::take_status(Object& object, const Json& from) {
    Json status = Json::object();
    for (const char* key : {"observedGeneration", "conditions", "nodes"}) {
        const Json* found = find_at(from, {"status", key});
        if (found && !found->is_null()) status[key] = *found;
    }
    const bool fits = control::encode(status).size() <= kMaxStatusBytes;
    object.status = fits ? std::move(status) : Json::object();
}

void StatusBook::put(const Resource& resource, std::size_t version, const Json& from) {
    const ObjectName name = name_of(resource, from);
    if (name.name.empty()) return;
    if (!objects_.contains(name) && objects_.size() >= kMaxStatusObjects) {
        if (!std::exchange(full_, true))
            spdlog::warn("more than {} objects: the others' status is not written", kMaxStatusObjects);
        return;
    }
    Object& object = objects_[name];
    object.path = resource_path(resource, version, name.ns) + "/" + percent_encoded(name.name) + "/status";
    object.list = lists_[resource.kind];
    take_status(object, from);
    changed_ = true;
}

void StatusBook::removed(const Resource& resource, const Json& object) { objects_.erase(name_of(resource, object)); }

void StatusBook::list_ends(const Resource& resource) {
    const std::uint64_t list = lists_[resource.kind];
    std::erase_if(objects_,
                  [&](const auto& entry) { return entry.first.kind == resource.kind && entry.second.list != list; });
}

std::vector<StatusWrite> StatusBook::due(const std::vector<NodeReport>& nodes, std::size_t most, TimeNs now,
                                         double wall) {
    std::vector<StatusWrite> writes;
    changed_ = false;
    for (const auto& [name, verdicts] : by_object(nodes)) {
        const auto found = objects_.find(name);
        if (found == objects_.end() || found->second.under_way || now < found->second.not_before) continue;
        found->second.not_before = 0;
        Json status = sum_status(verdicts, found->second.status, rfc3339(wall));
        if (status.is_null()) continue;
        if (writes.size() >= most) {
            changed_ = true;
            break;
        }
        found->second.under_way = true;
        writes.push_back({name, found->second.path, control::encode(Json{{"status", std::move(status)}})});
    }
    return writes;
}

WriteOutcome StatusBook::written(const ObjectName& name, const ApiAnswer& answer, TimeNs now) {
    const auto found = objects_.find(name);
    if (found == objects_.end()) return {};
    Object& object = found->second;
    object.under_way = false;
    changed_ = true;
    const auto updated = answer.complete() && answer.status == 200 ? parse_json(answer.body) : std::nullopt;
    if (updated && find_at(*updated, {"status"})) {
        take_status(object, *updated);
        return {};
    }
    const std::string what = "patch, status of " + name.kind + " " + name.ns + "/" + name.name + ": ";
    if (answer.status == 404) {
        object.not_before = now + kNoStatusPause;
        return {what + "not found; does its CustomResourceDefinition have a status subresource?"};
    }
    const bool refused = answer.status == 403 || answer.status == 422;
    object.not_before = now + (refused ? kRefusedPause : kFailedPause);
    if (!answer.complete()) return {what + answer.failure};
    return {what + "HTTP " + std::to_string(answer.status) + ": " + status_message(answer.body)};
}

TimeNs StatusBook::retry_at() const {
    TimeNs at = ~TimeNs{0};
    for (const auto& [name, object] : objects_) {
        if (object.not_before != 0 && !object.under_way) at = std::min(at, object.not_before);
    }
    return at;
}

}  // namespace umbra::kube
