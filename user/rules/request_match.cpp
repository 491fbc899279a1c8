#include "rules/request_match.h"

#include <algorithm>
#include <cctype>

#include "rules/prefix_set.h"

namespace umbra::rules {

namespace {

// A request target taken apart. In absolute form it names scheme and authority itself (RFC 9112, 3.2.2).
struct Target {
    std::string_view scheme;
    std::string_view authority;
    std::string_view path;
};

Target split_target(std::string_view target) {
    Target parts;
    parts.path = target;
    const auto separator = target.find("://");
    if (!target.empty() && target.front() != '/' && separator != std::string_view::npos) {
        parts.scheme = target.substr(0, separator);
        const auto rest = target.substr(separator + 3);
        const auto end = std::min(rest.find_first_of("/?#"), rest.size());
        parts.authority = rest.substr(0, end);
        parts.path = end < rest.size() && rest[end] == '/' ? rest.substr(end) : std::string_view("/");
    }
    parts.path = parts.path.substr(0, parts.path.find_first_of("?#"));
    return parts;
}

bool same_name(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view find_header(const RequestView& request, std::string_view name) {
    for (const auto& [key, value] : request.headers) {
        if (same_name(key, name)) return value;
    }
    return {};
}

std::string_view scheme_of(const RequestView& request) {
    const auto target = split_target(request.target);
    return target.scheme.empty() ? request.scheme : target.scheme;
}

}  // namespace

std::string_view request_authority(const RequestView& request) {
    const auto target = split_target(request.target);
    if (!target.authority.empty()) return target.authority;
    return request.authority.empty() ? find_header(request, "host") : request.authority;
}

Result<RequestMatcher> RequestMatcher::make(const PlanRule& rule) {
    RequestMatcher matcher;
    for (const auto& text : rule.request) {
        Condition condition{text, std::nullopt};
        if (text.kind == HeaderCondition::Kind::regex) {
            auto pattern = Pattern::make(text.value);
            if (!pattern) {
                return Error{
                    pattern.error().code,
                    "compiling rule '" + rule.key + "', condition on '" + text.name + "': " + pattern.error().message,
                    pattern.error().hint};
            }
            condition.pattern = std::move(*pattern);
        }
        matcher.conditions_.push_back(std::move(condition));
    }
    return matcher;
}

bool RequestMatcher::Condition::holds(std::string_view value) const {
    switch (text.kind) {
        case HeaderCondition::Kind::exact:
            return value == text.value;
        case HeaderCondition::Kind::prefix:
            return value.substr(0, text.value.size()) == text.value;
        case HeaderCondition::Kind::regex:
            break;
    }
    return pattern && pattern->matches(value);
}

bool RequestMatcher::Condition::holds(const RequestView& request) const {
    if (text.name == "uri") return holds(split_target(request.target).path);
    if (text.name == "method") return holds(request.method);
    if (text.name == "authority") return holds(request_authority(request));
    if (text.name == "scheme") return holds(scheme_of(request));
    return std::any_of(request.headers.begin(), request.headers.end(),
                       [&](const auto& header) { return same_name(header.first, text.name) && holds(header.second); });
}

std::optional<std::size_t> RequestMatcher::first_failing(const RequestView& request) const {
    for (std::size_t i = 0; i < conditions_.size(); ++i) {
        if (!conditions_[i].holds(request)) return i;
    }
    return std::nullopt;
}

Result<PlanMatcher> PlanMatcher::make(const Plan& plan) {
    PlanMatcher result;
    for (const auto& rule : plan.rules) {
        auto matcher = RequestMatcher::make(rule);
        if (!matcher) return matcher.error();
        result.rules_.push_back(std::move(*matcher));
    }
    return result;
}

bool request_matches(const PlanRule& rule, const RequestView& request) {
    const auto matcher = RequestMatcher::make(rule);
    return matcher && matcher->matches(request);
}

bool source_matches(const PlanRule& rule, const IpAddress& client) {
    return !rule.source_restricted || contains(rule.sources, client);
}

std::optional<std::uint32_t> select_rule(const Plan& plan, const PlanMatcher& matcher, const PlanOrigin& origin,
                                         const IpAddress& client, const RequestView* request) {
    for (const auto index : origin.candidates) {
        if (!source_matches(plan.rules[index], client)) continue;
        const auto& conditions = matcher.rule(index);
        if (!conditions.has_conditions() || (request && conditions.matches(*request))) return index;
    }
    return std::nullopt;
}

}  // namespace umbra::rules
