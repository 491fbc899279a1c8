#include "rules/plan_print.h"

#include <fmt/format.h>

#include "rules/enum_names.h"
#include "rules/settings_print.h"

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

std::string print_mirror_lines(const PlanMirror& mirror) {
    auto text = fmt::format("     mirror       {}, {}\n", print_mirror(mirror), print_share(mirror));
    const auto settings = print_settings(mirror.settings);
    if (!settings.empty()) text += fmt::format("     settings     {}\n", settings);
    if (!mirror.off_reason.empty()) text += fmt::format("     mirror off   {}\n", mirror.off_reason);
    for (const auto& target : mirror.targets) {
        text += fmt::format("       port {:<6} {}\n", target.service_port, print_endpoints(target.endpoints));
    }
    return text;
}

std::string print_rule(std::size_t number, const PlanRule& rule) {
    auto text = fmt::format("{:>3}  {}  precedence {}\n", number, rule.key, rule.precedence);
    text += fmt::format("     destination  {}\n", rule.destination);
    text += fmt::format("     clients      {}\n", print_sources(rule));
    text += fmt::format("     request      {}\n", print_request(rule));
    if (rule.protocol != Protocol::automatic)
        text += fmt::format("     protocol     {}\n", kProtocolNames.name(rule.protocol));
    if (rule.mirrors.empty()) return text + fmt::format("     mirror       none: {}\n", print_silence(rule));
    for (const auto& mirror : rule.mirrors) text += print_mirror_lines(mirror);
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

std::string print_mirror(const PlanMirror& mirror) {
    auto text = mirror.host;
    for (const auto& [key, value] : mirror.labels) text += fmt::format(" {}={}", key, value);
    return text;
}

std::string print_mirrors(const PlanRule& rule) {
    std::string text;
    for (const auto& mirror : rule.mirrors) text += (text.empty() ? "" : ", ") + print_mirror(mirror);
    return text;
}

std::string print_share(const PlanMirror& mirror) {
    const auto& sampling = mirror.settings.sampling;
    auto text = fmt::format("{:g} % of {}", mirror.percent, sampling.by == Sampling::By::flow ? "flows" : "requests");
    if (sampling.by == Sampling::By::header) text += fmt::format(" by the value of {}", sampling.header);
    return text;
}

std::string print_silence(const PlanRule& rule) {
    if (!rule.is_stand_in()) return "what it matches is not mirrored";
    const auto selecting = rule.key.substr(0, rule.key.size() - kStandInSuffix.size());
    return "the route of " + selecting + " does not select these endpoints";
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
