#include "rules/listing.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "rules/enum_names.h"
#include "rules/plan_print.h"
#include "rules/text_diff.h"

namespace umbra::rules {

namespace {

bool key_is_named(std::string_view name, std::string_view key) {
    return name.empty() || key == name ||
           (name.find('/') == std::string_view::npos && key.substr(key.find('/') + 1) == name);
}

bool host_is_named(std::string_view name, std::string_view host) {
    return host == name ||
           (host.size() > name.size() && host.substr(0, name.size()) == name && host[name.size()] == '.');
}

bool row_is_named(std::string_view name, const EndpointRow& row) {
    if (name.empty() || host_is_named(name, row.service)) return true;
    if (row.endpoint.to_string() == name || row.endpoint.address.to_string() == name) return true;
    return std::any_of(row.rules.begin(), row.rules.end(), [&](const auto& key) { return key_is_named(name, key); });
}

// Why a mirror gets nothing, or empty.
std::string silence_of(const PlanMirror& mirror) {
    return mirror.off_reason.empty() && mirror.percent <= 0 ? "its percentage is 0" : mirror.off_reason;
}

std::string status_of(const PlanRule& rule, std::size_t origins) {
    if (rule.mirrors.empty()) return "no mirror";
    std::string silent;
    std::size_t count = 0;
    for (std::size_t i = 0; i < rule.mirrors.size(); ++i) {
        const auto why = silence_of(rule.mirrors[i]);
        if (why.empty()) continue;
        ++count;
        const auto number = rule.mirrors.size() > 1 ? " " + std::to_string(i + 1) : "";
        silent += (silent.empty() ? "" : "; ") + ("mirror" + number + " off: " + why);
    }
    if (count == rule.mirrors.size()) return silent;
    const std::string status = origins == 0 ? "no origin" : "mirroring";
    return silent.empty() ? status : status + "; " + silent;
}

std::set<Endpoint> mirror_endpoints(const PlanRule& rule) {
    std::set<Endpoint> endpoints;
    for (const auto& mirror : rule.mirrors) {
        for (const auto& target : mirror.targets) endpoints.insert(target.endpoints.begin(), target.endpoints.end());
    }
    return endpoints;
}

using MirrorRows = std::map<std::tuple<Endpoint, std::string, std::uint16_t>, std::vector<std::string>>;

void add_mirrors(MirrorRows& rows, const PlanRule& rule) {
    for (const auto& mirror : rule.mirrors) {
        for (const auto& target : mirror.targets) {
            for (const auto& endpoint : target.endpoints) {
                auto& keys = rows[{endpoint, mirror.host, target.service_port}];
                if (keys.empty() || keys.back() != rule.key) keys.push_back(rule.key);
            }
        }
    }
}

}  // namespace

std::vector<RuleRow> list_rules(const Plan& plan, std::string_view name) {
    std::vector<std::size_t> origins(plan.rules.size());
    for (const auto& origin : plan.origins) {
        for (const auto index : origin.candidates) ++origins[index];
    }
    std::vector<RuleRow> rows;
    for (std::size_t i = 0; i < plan.rules.size(); ++i) {
        const auto& rule = plan.rules[i];
        if (rule.is_stand_in() || !key_is_named(name, rule.key)) continue;
        rows.push_back({rule.key, rule.precedence, rule.destination, print_mirrors(rule), origins[i],
                        mirror_endpoints(rule).size(), status_of(rule, origins[i])});
    }
    return rows;
}

std::vector<EndpointRow> list_endpoints(const Plan& plan, std::string_view name) {
    std::vector<EndpointRow> rows;
    for (const auto& origin : plan.origins) {
        EndpointRow row{origin.endpoint, "origin", origin.service, origin.service_port, {}};
        for (const auto index : origin.candidates) row.rules.push_back(plan.rules[index].key);
        rows.push_back(std::move(row));
    }
    MirrorRows mirrors;
    for (const auto& rule : plan.rules) add_mirrors(mirrors, rule);
    for (auto& [key, rules] : mirrors) {
        rows.push_back({std::get<0>(key), "mirror", std::get<1>(key), std::get<2>(key), std::move(rules)});
    }
    rows.erase(std::remove_if(rows.begin(), rows.end(), [&](const auto& row) { return !row_is_named(name, row); }),
               rows.end());
    return rows;
}

std::vector<PolicyRow> list_policies(const DocumentSet& documents, std::string_view name) {
    std::vector<PolicyRow> rows;
    for (const auto* policy : documents.all<MirrorPolicy>()) {
        if (!key_is_named(name, policy->key())) continue;
        const bool found = documents.find({"RouteRule", policy->ns, policy->target}) != nullptr;
        rows.push_back({policy->key(), policy->rule_key(), kProtocolNames.name(policy->protocol),
                        policy->mirrors.size(), found ? "in force" : "no such rule"});
    }
    return rows;
}

std::string describe_change(const DocumentSet& before, const Plan& old_plan, const DocumentSet& after,
                            const Plan& new_plan) {
    std::string text;
    std::size_t unchanged = 0;
    for (const auto& [key, object] : before.objects()) {
        if (!after.find(key)) text += "removed    " + key.to_string() + "\n" + diff_lines(object->text, "");
    }
    for (const auto& [key, object] : after.objects()) {
        const auto* old = before.find(key);
        if (!old) {
            text += "added      " + key.to_string() + "\n" + diff_lines("", object->text);
        } else if (old->text != object->text) {
            text += "changed    " + key.to_string() + "\n" + diff_lines(old->text, object->text);
        } else {
            ++unchanged;
        }
    }
    text += "unchanged  " + std::to_string(unchanged) + (unchanged == 1 ? " object\n" : " objects\n");
    const auto plan = diff_lines(print_plan(old_plan), print_plan(new_plan));
    return text + (plan.empty() ? "plan       unchanged\n" : "plan       changed\n" + plan);
}

}  // namespace umbra::rules
