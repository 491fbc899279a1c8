#include "rules/plan_print.h"

#include <fmt/format.h>

namespace umbra::rules {

namespace {

const char* kind_text(HeaderCondition::Kind kind) {
    switch (kind) {
        case HeaderCondition::Kind::exact:
            return "exact";
        case HeaderCondition::Kind::prefix:
            return "prefix";
        case HeaderCondition::Kind::regex:
            break;
    }
    return "regex";
}

std::string print_endpoints(const std::vector<Endpoint>& endpoints) {
    std::string text;
    for (const auto& endpoint : endpoints) text += (text.empty() ? "" : ", ") + endpoint.to_string();
    return text.empty() ? "none" : text;
}

std::string print_rule(std::size_t number, const PlanRule& rule) {
    auto text = fmt::format("{:>3}  {}  precedence {}\n", number, rule.key, rule.precedence);
    text += fmt::format("     destination  {}\n", rule.destination);
    text += fmt::format("     clients      {}\n", print_sources(rule));
    text += fmt::format("     request      {}\n", print_request(rule));
    if (!rule.has_mirror) {
        const auto why = rule.mirror_off_reason.empty() ? "what it matches is not mirrored" : rule.mirror_off_reason;
        return text + fmt::format("     mirror       none: {}\n", why);
    }
    text += fmt::format("     mirror       {}, {:g} % of flows\n", print_mirror(rule), rule.percent);
    if (!rule.mirror_off_reason.empty()) text += fmt::format("     mirror off   {}\n", rule.mirror_off_reason);
    for (const auto& target : rule.targets) {
        text += fmt::format("       port {:<6} {}\n", target.service_port, print_endpoints(target.endpoints));
    }
    return text;
}

}  // namespace

std::string print_condition(const HeaderCondition& condition) {
    return fmt::format("{} {} '{}'", condition.name, kind_text(condition.kind), condition.value);
}

std::string print_request(const PlanRule& rule) {
    std::string text;
    for (const auto& condition : rule.request) text += (text.empty() ? "" : ", ") + print_condition(condition);
    return text.empty() ? "any" : text;
}

std::string print_sources(const PlanRule& rule) {
    if (!rule.source_restricted) return "any";
    std::string text;
    for (const auto& prefix : rule.sources) text += (text.empty() ? "" : ", ") + prefix.to_string();
    return text.empty() ? "none" : text;
}

std::string print_mirror(const PlanRule& rule) {
    auto text = rule.mirror_host;
    for (const auto& [key, value] : rule.mirror_labels) text += fmt::format(" {}={}", key, value);
    return text;
}

std::string print_plan(const Plan& plan) {
    std::string text = "rules, best first\n";
    for (std::size_t i = 0; i < plan.rules.size(); ++i) text += print_rule(i + 1, plan.rules[i]);
    if (plan.rules.empty()) text += "     none\n";
    text += "origins, with the rules that can apply, best first\n";
    for (const auto& origin : plan.origins) {
        text += fmt::format("     {}  {} port {}\n", origin.endpoint.to_string(), origin.service, origin.service_port);
        std::string keys;
        for (const auto index : origin.candidates) keys += (keys.empty() ? "" : ", ") + plan.rules[index].key;
        text += fmt::format("       {}\n", keys);
    }
    if (plan.origins.empty()) text += "     none: nothing is mirrored\n";
    return text;
}

}  // namespace umbra::rules
