#include "agent/verbs.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "agent/documents_field.h"
#include "agent/report.h"
#include "rules/listing.h"
#include "rules/plan_json.h"

namespace umbra::agent {

namespace {

using control::Json;
using control::Response;

std::optional<std::string> text_field(const Json& request, const char* name) {
    const auto found = request.find(name);
    if (found == request.end() || !found->is_string()) return std::nullopt;
    return found->get<std::string>();
}

Error bad_request(const std::string& cause) { return {ErrorCode::usage, "read, request: " + cause}; }

Response refused(const rules::LoadOutcome& outcome) {
    auto response = Response::failure({ErrorCode::invalid_rules, "the rules are not valid; nothing was changed"});
    response.result["diagnostics"] = rules::print_diagnostics(outcome.diagnostics);
    return response;
}

// Each object that came or changed, by its text.
Json changes(const rules::DocumentSet& before, const rules::DocumentSet& after) {
    Json list = Json::array();
    for (const auto& [key, object] : after.objects()) {
        const rules::Object* known = before.find(key);
        if (known && known->text == object->text) continue;
        list.push_back({{"object", key.to_string()}, {"change", known ? "changed" : "added"}});
    }
    for (const auto& [key, object] : before.objects()) {
        if (!after.find(key)) list.push_back({{"object", key.to_string()}, {"change", "removed"}});
    }
    return list;
}

Json rule_rows(const rules::Plan& plan, const std::string& name, bool paused) {
    Json rows = Json::array();
    for (const auto& row : rules::list_rules(plan, name)) {
        rows.push_back({{"rule", row.key},
                        {"precedence", row.precedence},
                        {"destination", row.destination},
                        {"mirror", row.mirror},
                        {"origins", row.origins},
                        {"mirror_endpoints", row.mirror_endpoints},
                        {"status", status_now(row, paused)}});
    }
    return rows;
}

// What a change is about, for the log.
std::string what_of(const Json& request) {
    if (const auto name = text_field(request, "name")) return *name;
    return request.contains("documents") ? "documents" : "cloning";
}

Json policy_rows(const rules::DocumentSet& documents, const std::string& name) {
    Json rows = Json::array();
    for (const auto& row : rules::list_policies(documents, name)) {
        rows.push_back({{"policy", row.key},
                        {"rule", row.rule},
                        {"protocol", row.protocol},
                        {"mirrors", row.mirrors},
                        {"status", row.status}});
    }
    return rows;
}

Json endpoint_rows(const rules::Plan& plan, const std::string& name) {
    Json rows = Json::array();
    for (const auto& row : rules::list_endpoints(plan, name)) {
        rows.push_back({{"endpoint", row.endpoint.to_string()},
                        {"role", row.role},
                        {"service", row.service},
                        {"service_port", row.service_port},
                        {"rules", row.rules}});
    }
    return rows;
}

}  // namespace

struct Verbs::Verb {
    enum class Change : std::uint8_t { nothing, documents, cloning };
    const char* name;
    std::vector<std::string> fields;
    Change change;
    Response (Verbs::*run)(const Json&);
};

const Verbs::Verb* Verbs::find(const std::string& name) {
    using enum Verb::Change;
    static const std::vector<Verb> kVerbs{{"apply", {"documents"}, documents, &Verbs::apply},
                                          {"delete", {"what", "name"}, documents, &Verbs::remove},
                                          {"pause", {"reason"}, cloning, &Verbs::pause},
                                          {"resume", {}, cloning, &Verbs::resume},
                                          {"get", {"what", "name"}, nothing, &Verbs::get},
                                          {"diff", {"documents"}, nothing, &Verbs::diff},
                                          {"status", {}, nothing, &Verbs::status},
                                          {"ledger", {}, nothing, &Verbs::ledger},
                                          {"plan", {}, nothing, &Verbs::plan},
                                          {"version", {}, nothing, &Verbs::version}};
    const auto found = std::ranges::find(kVerbs, name, [](const Verb& verb) { return std::string(verb.name); });
    return found == kVerbs.end() ? nullptr : &*found;
}

Response Verbs::answer(const control::Peer& peer, const Json& request) {
    const std::string name = text_field(request, "verb").value_or("");
    const Verb* verb = find(name);
    if (!verb) return Response::failure(bad_request("no verb '" + name + "'"));
    for (const auto& [field, value] : request.items()) {
        if (field != "verb" && std::ranges::find(verb->fields, field) == verb->fields.end())
            return Response::failure(bad_request("'" + name + "' takes no field '" + field + "'"));
    }
    const bool changes = verb->change != Verb::Change::nothing;
    if (changes && !peer.may_change) {
        spdlog::warn("{} refused uid={}", name, peer.uid);
        return Response::failure({ErrorCode::privilege, name + ": only root and the agent's user may do this",
                                  "members of group 'umbra' may use get, diff, status and ledger"});
    }
    if (too_late_for(*verb)) {
        return Response::failure(
            {ErrorCode::failure, name + ": the agent is being taken over by " + door_->successor(), "try again"});
    }
    asking_ = peer.uid;
    Response response = (this->*verb->run)(request);
    if (changes) {
        spdlog::info("{} uid={} what={} result={} generation={}", name, peer.uid, what_of(request),
                     response.ok ? "in force" : "refused", runtime_.datapath().generation());
    }
    return response;
}

// Documents travel with the offer, pause and trip again at the switch.
bool Verbs::too_late_for(const Verb& verb) const {
    if (!door_) return false;
    return (verb.change == Verb::Change::documents && door_->busy()) ||
           (verb.change == Verb::Change::cloning && door_->switching());
}

Response Verbs::put_in_force(rules::LoadOutcome outcome) {
    if (!outcome.ok) return refused(outcome);
    if (auto used = runtime_.use(outcome.plan); !used) return Response::failure(used.error());
    Json result{{"changes", changes(store_.documents(), outcome.set)},
                {"generation", runtime_.datapath().generation()},
                {"rules", rules::list_rules(outcome.plan).size()},
                {"diagnostics", rules::print_diagnostics(outcome.diagnostics)}};
    if (!runtime_.terminator()) result["note"] = "the terminator is being restarted; the rules are in force with it";
    store_.accept(std::move(outcome));
    if (cluster_) cluster_->recheck();
    return Response::success(std::move(result));
}

Response Verbs::apply(const Json& request) {
    const auto sources = documents_of(request);
    return sources ? put_in_force(store_.propose(*sources)) : Response::failure(sources.error());
}

Response Verbs::remove(const Json& request) {
    const auto what = text_field(request, "what");
    const auto name = text_field(request, "name");
    if ((what != "rule" && what != "policy") || !name)
        return Response::failure(bad_request("'what' must be \"rule\" or \"policy\", 'name' a text"));
    const bool rule = what == "rule";
    auto outcome = rule ? store_.propose_without_rule(*name) : store_.propose_without_policy(*name);
    if (!store_.documents().find_named(rule ? "RouteRule" : "MirrorPolicy", *name)) {
        return Response::failure({ErrorCode::failure, "delete: no " + *what + " '" + *name + "'",
                                  outcome.diagnostics.empty() ? "" : outcome.diagnostics.front().hint});
    }
    return put_in_force(std::move(outcome));
}

Response Verbs::pause(const Json& request) {
    const auto reason = request.contains("reason") ? text_field(request, "reason") : std::string();
    if (!reason || !CloneSwitch::is_reason(*reason))
        return Response::failure(bad_request("'reason' must be a text of at most " +
                                             std::to_string(CloneSwitch::kMaxReason) +
                                             " bytes without control characters"));
    if (auto paused = cloning_.pause(asking_, *reason); !paused) return Response::failure(paused.error());
    return Response::success(Json::object());
}

Response Verbs::resume(const Json&) {
    if (auto resumed = cloning_.resume(asking_); !resumed) return Response::failure(resumed.error());
    Json result = Json::object();
    if (!runtime_.terminator()) result["note"] = "the terminator is being restarted; cloning goes on with it";
    return Response::success(std::move(result));
}

Response Verbs::get(const Json& request) {
    const std::string what = text_field(request, "what").value_or("");
    const std::string name = text_field(request, "name").value_or("");
    Json rows;
    if (what == "rules")
        rows = rule_rows(store_.plan(), name, runtime_.share().paused);
    else if (what == "policies")
        rows = policy_rows(store_.all_documents(), name);
    else if (what == "endpoints")
        rows = endpoint_rows(store_.plan(), name);
    else
        return Response::failure(bad_request("'what' must be \"rules\", \"policies\" or \"endpoints\""));
    if (rows.empty() && !name.empty())
        return Response::failure({ErrorCode::failure, "get " + what + ": nothing is called '" + name + "'"});
    return Response::success(std::move(rows));
}

Response Verbs::diff(const Json& request) {
    const auto sources = documents_of(request);
    if (!sources) return Response::failure(sources.error());
    const auto outcome = store_.propose(*sources);
    if (!outcome.ok) return refused(outcome);
    return Response::success(
        {{"changes", changes(store_.documents(), outcome.set)},
         {"text", rules::describe_change(store_.documents(), store_.plan(), outcome.set, outcome.plan)},
         {"diagnostics", rules::print_diagnostics(outcome.diagnostics)}});
}

Response Verbs::status(const Json&) {
    Json status = status_report(options_, runtime_, store_);
    cloning_.report(status);
    if (!took_over_.is_null()) status["took_over"] = took_over_;
    if (cluster_) status["kubernetes"] = cluster_->status();
    return Response::success(std::move(status));
}

Response Verbs::ledger(const Json&) {
    const auto reading = runtime_.ledger().read();
    return reading ? Response::success(ledger_report(*reading)) : Response::failure(reading.error());
}

Response Verbs::plan(const Json&) { return Response::success({{"plan", rules::plan_to_json(store_.plan())}}); }

Response Verbs::version(const Json&) { return Response::success({{"version", UMBRA_VERSION}, {"pid", ::getpid()}}); }

}  // namespace umbra::agent
