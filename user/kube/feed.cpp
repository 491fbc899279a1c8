#include "kube/feed.h"

#include <utility>

#include "control/frame.h"

namespace umbra::kube {

namespace {

// Reads fields; remembers the first that is wrong, and what is read after it is empty.
class Fields {
public:
    Fields(const Json& json, std::string what) : json_(json), what_(std::move(what)) {
        if (!json.is_object()) cause_ = "no JSON object";
    }

    bool flag(const char* name) {
        const Json* value = find(name, &Json::is_boolean);
        return value && value->get<bool>();
    }
    std::string text(const char* name) {
        const Json* value = find(name, &Json::is_string);
        return value ? value->get<std::string>() : std::string();
    }
    std::int64_t number(const char* name) {
        const Json* value = find(name, &Json::is_number_integer);
        return value ? value->get<std::int64_t>() : 0;
    }
    const Json& list(const char* name) {
        static const Json kNone = Json::array();
        const Json* value = find(name, &Json::is_array);
        return value ? *value : kNone;
    }
    const Json& object(const char* name) {
        static const Json kNone = Json::object();
        const Json* value = find(name, &Json::is_object);
        return value ? *value : kNone;
    }
    std::set<std::string> texts(const char* name) {
        std::set<std::string> found;
        for (const Json& item : list(name)) {
            if (item.is_string())
                found.insert(item.get<std::string>());
            else
                fail(name);
        }
        return found;
    }

    void fail(const std::string& name) {
        if (cause_.empty()) cause_ = "'" + name + "' is missing or of the wrong type";
    }
    bool failed() const { return !cause_.empty(); }
    Error error() const { return {ErrorCode::failure, "read, " + what_ + " of the feed: " + cause_}; }

private:
    const Json* find(const char* name, bool (Json::*is)() const noexcept) {
        if (failed()) return nullptr;
        const auto found = json_.find(name);
        if (found != json_.end() && ((*found).*is)()) return &*found;
        fail(name);
        return nullptr;
    }

    const Json& json_;
    std::string what_;
    std::string cause_;
};

Json to_json(const ObjectName& name) { return {{"kind", name.kind}, {"namespace", name.ns}, {"name", name.name}}; }

ObjectName name_from(Fields& fields) { return {fields.text("kind"), fields.text("namespace"), fields.text("name")}; }

Json to_json(const Verdict& verdict) {
    return {{"holds", verdict.holds}, {"reason", verdict.reason}, {"message", verdict.message}};
}

Verdict verdict_from(Fields& rule, const char* name) {
    Fields fields(rule.object(name), name);
    Verdict verdict{fields.flag("holds"), fields.text("reason"), fields.text("message")};
    if (fields.failed()) rule.fail(name);
    return verdict;
}

Json to_json(const RuleReport& rule) {
    Json json = to_json(rule.object);
    json["generation"] = rule.generation;
    json["accepted"] = to_json(rule.accepted);
    json["resolved"] = to_json(rule.resolved);
    json["programmed"] = to_json(rule.programmed);
    json["origins"] = rule.origins;
    json["mirror_endpoints"] = rule.mirror_endpoints;
    return json;
}

}  // namespace

Json to_json(const Changes& changes) {
    Json deleted = Json::array();
    for (const ObjectName& name : changes.deleted) deleted.push_back(to_json(name));
    return {{"reset", changes.reset},
            {"synced", changes.synced},
            {"objects", changes.objects},
            {"deleted", std::move(deleted)},
            {"health", changes.health}};
}

Json to_json(const Demand& demand) {
    return {{"everything", demand.everything},
            {"namespaces", demand.namespaces},
            {"pod_namespaces", demand.pod_namespaces}};
}

Json to_json(const Report& report) {
    Json rules = Json::array();
    for (const RuleReport& rule : report.rules) rules.push_back(to_json(rule));
    return {{"rules", std::move(rules)}};
}

Result<Changes> changes_from(const Json& json) {
    Fields fields(json, "changes");
    Changes changes;
    changes.reset = fields.flag("reset");
    changes.synced = fields.flag("synced");
    for (const Json& object : fields.list("objects")) changes.objects.push_back(object);
    for (const Json& entry : fields.list("deleted")) {
        Fields name(entry, "deleted");
        changes.deleted.push_back(name_from(name));
        if (name.failed()) fields.fail("deleted");
    }
    if (const auto health = json.find("health"); !fields.failed() && health != json.end()) changes.health = *health;
    if (fields.failed()) return fields.error();
    return changes;
}

Result<Demand> demand_from(const Json& json) {
    Fields fields(json, "demand");
    Demand demand{fields.flag("everything"), fields.texts("namespaces"), fields.texts("pod_namespaces")};
    if (fields.failed()) return fields.error();
    return demand;
}

Result<Report> report_from(const Json& json) {
    Fields fields(json, "report");
    Report report;
    for (const Json& entry : fields.list("rules")) {
        Fields rule(entry, "rule");
        RuleReport read;
        read.object = name_from(rule);
        read.generation = rule.number("generation");
        read.accepted = verdict_from(rule, "accepted");
        read.resolved = verdict_from(rule, "resolved");
        read.programmed = verdict_from(rule, "programmed");
        read.origins = static_cast<std::uint32_t>(rule.number("origins"));
        read.mirror_endpoints = static_cast<std::uint32_t>(rule.number("mirror_endpoints"));
        if (rule.failed()) return rule.error();
        report.rules.push_back(std::move(read));
    }
    if (fields.failed()) return fields.error();
    return report;
}

std::string frame(const char* what, Json message) {
    Json whole = Json::object();
    whole[what] = std::move(message);
    const std::string body = control::encode(whole);
    const auto header = control::frame_header(body.size());
    return std::string(header.begin(), header.end()) + body;
}

}  // namespace umbra::kube
