#include "rules/listing.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "rules/plan_print.h"
#include "rules/text_diff.h"

namespace umbra::rules {

namespace {

bool is_stand_in(const PlanRule& rule) { return rule.key.find('#') != std::string::npos; }

bool rule_is_named(std::string_view name, std::string_view key) {
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
    return std::any_of(row.rules.begin(), row.rules.end(), [&](const auto& key) { return rule_is_named(name, key); });
}

std::string status_of(const PlanRule& rule, std::size_t origins) {
    if (!rule.has_mirror) return "no mirror";
    if (!rule.mirror_off_reason.empty()) return "mirror off: " + rule.mirror_off_reason;
    return origins == 0 ? "no origin" : "mirroring";
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
        if (is_stand_in(rule) || !rule_is_named(name, rule.key)) continue;
        std::set<Endpoint> endpoints;
        for (const auto& target : rule.targets) endpoints.insert(target.endpoints.begin(), target.endpoints.end());
        rows.push_back({rule.key, rule.precedence, rule.destination, print_mirror(rule), origins[i], endpoints.size(),
                        status_of(rule, origins[i])});
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
    std::map<std::tuple<Endpoint, std::string, std::uint16_t>, std::vector<std::string>> mirrors;
    for (const auto& rule : plan.rules) {
        for (const auto& target : rule.targets) {
            for (const auto& endpoint : target.endpoints) {
                mirrors[{endpoint, rule.mirror_host, target.service_port}].push_back(rule.key);
            }
        }
    }
    for (auto& [key, rules] : mirrors) {
        rows.push_back({std::get<0>(key), "mirror", std::get<1>(key), std::get<2>(key), std::move(rules)});
    }
    rows.erase(std::remove_if(rows.begin(), rows.end(), [&](const auto& row) { return !row_is_named(name, row); }),
               rows.end());
    return rows;
}

std::string describe_change(const DocumentSet& before, const Plan& old_plan, const DocumentSet& after,
                            const Plan& new_plan) {
    std::string text;
    std::size_t unchanged = 0;
    for (const auto& [key, object] : before.objects()) {
        if (!after.find(key)) text += "removed    " + key.to_string() + "\n" + diff_lines(object.text, "");
    }
    for (const auto& [key, object] : after.objects()) {
        const auto* old = before.find(key);
        if (!old) {
            text += "added      " + key.to_string() + "\n" + diff_lines("", object.text);
        } else if (old->text != object.text) {
            text += "changed    " + key.to_string() + "\n" + diff_lines(old->text, object.text);
        } else {
            ++unchanged;
        }
    }
    text += "unchanged  " + std::to_string(unchanged) + (unchanged == 1 ? " object\n" : " objects\n");
    const auto plan = diff_lines(print_plan(old_plan), print_plan(new_plan));
    return text + (plan.empty() ? "plan       unchanged\n" : "plan       changed\n" + plan);
}

}  // namespace umbra::rules
