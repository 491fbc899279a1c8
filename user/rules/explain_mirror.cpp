#include "rules/explain_mirror.h"

#include <fmt/format.h>

#include <algorithm>

#include "rules/enum_names.h"
#include "rules/plan_print.h"
#include "rules/sampling.h"
#include "rules/settings_print.h"

namespace umbra::rules {

namespace {

constexpr const char* kOutside = "no: it is outside the percentage";

std::string by_hash(std::uint32_t hash, std::uint64_t threshold) { return hash < threshold ? "yes" : kOutside; }

std::string sampled(const PlanRule& rule, const PlanMirror& mirror, const Asked& asked) {
    const auto threshold = sampling_threshold(mirror.percent);
    const auto& sampling = mirror.settings.sampling;
    const auto seed = sampling_seed(rule.key);
    if (threshold == 0) return kOutside;
    if (threshold == kEverything) return "yes";
    if (sampling.by == Sampling::By::request) return "by chance";
    if (sampling.by == Sampling::By::header) {
        return by_hash(header_sample(asked.request ? asked.request->headers : HeaderViews{}, sampling.header, seed),
                       threshold);
    }
    return asked.flow ? by_hash(flow_sample(*asked.flow, seed), threshold) : "its connection decides";
}

std::string taken(const PlanRule& rule, const PlanMirror& mirror, const Asked& asked) {
    const auto answer = sampled(rule, mirror, asked);
    if (answer == kOutside || !mirror.settings.safe_methods_only) return answer;
    if (!asked.request) return "no: the mirror takes safe methods only";
    if (is_safe_method(asked.request->method)) return answer;
    return fmt::format("no: {} may write, and the mirror takes safe methods only", asked.request->method);
}

std::string explain_one(const PlanRule& rule, const PlanMirror& mirror, const MirrorTarget* target,
                        const Asked& asked) {
    if (!target) return fmt::format("result     nothing is mirrored to {}: no endpoint here\n", print_mirror(mirror));
    auto text = fmt::format("result     {} are mirrored to {}: one of {}\n", print_share(mirror), print_mirror(mirror),
                            list_some(target->endpoints));
    const auto settings = print_settings(mirror.settings);
    if (!settings.empty()) text += fmt::format("  settings {}\n", settings);
    const bool depends = mirror.percent < 100 || mirror.settings.safe_methods_only;
    if (asked.request || (asked.flow && depends)) text += fmt::format("  taken    {}\n", taken(rule, mirror, asked));
    return text;
}

}  // namespace

std::string list_some(const std::vector<Endpoint>& endpoints) {
    std::string text;
    const auto count = std::ssize(endpoints), shown = std::min(count, kShownEndpoints);
    for (auto i = decltype(shown){}; i < shown; ++i)
        text += (i == 0 ? "" : ", ") + endpoints[static_cast<std::size_t>(i)].to_string();
    if (count > shown) text += fmt::format(" and {} more", count - shown);
    return text;
}

std::string explain_mirrors(const PlanRule& rule, const PlanOrigin& origin, const Asked& asked) {
    if (!rule.is_live_at(origin.service_port))
        return fmt::format("result     not mirrored: the mirror of {} has no endpoint here\n", rule.key);
    std::string text;
    if (rule.protocol != Protocol::automatic)
        text += fmt::format("protocol   {}\n", kProtocolNames.name(rule.protocol));
    for (const auto& mirror : rule.mirrors)
        text += explain_one(rule, mirror, mirror.live_target(origin.service_port), asked);
    return text;
}

}  // namespace umbra::rules
