#include "rules/decode_request.h"

#include <algorithm>
#include <cctype>

#include "rules/pattern.h"
#include "rules/proxy_fields.h"

namespace umbra::rules {

namespace {

struct Place {
    const FieldReader& headers;
    std::string path;
    Position at;

    void error(std::string message, std::string hint = {}) const {
        headers.report(Severity::error, at, path, std::move(message), std::move(hint));
    }
    void warn(std::string message, std::string hint = {}) const {
        headers.report(Severity::warning, at, path, std::move(message), std::move(hint));
    }
};

std::optional<HeaderCondition> decode_string_match(const FieldReader& match, const std::string& name) {
    constexpr std::pair<std::string_view, HeaderCondition::Kind> kKinds[] = {{"exact", HeaderCondition::Kind::exact},
                                                                             {"prefix", HeaderCondition::Kind::prefix},
                                                                             {"regex", HeaderCondition::Kind::regex}};
    match.allow_only({"exact", "prefix", "regex"});
    std::optional<HeaderCondition> condition;
    std::size_t given = 0;
    for (const auto& [field, kind] : kKinds) {
        if (!match.has(field)) continue;
        if (given++ > 0) {
            match.error(field, "only one of exact, prefix and regex can be given");
            continue;
        }
        if (const auto value = match.text(field)) condition = HeaderCondition{name, kind, *value};
    }
    if (given == 0) match.error_here("must be one of exact, prefix and regex", "or a bare string, which means exact");
    return condition;
}

void check_uri(const Place& place, const HeaderCondition& condition) {
    if (condition.value.empty()) return place.error("the value for 'uri' must be non-empty");
    if (condition.kind == HeaderCondition::Kind::regex) return;
    if (condition.value.front() != '/' && condition.value != "*") {
        place.warn("'" + condition.value + "' matches no path", "paths begin with '/'");
    } else if (condition.value.find('?') != std::string::npos) {
        place.warn("'" + condition.value + "' matches no path", "the path is compared without its query string");
    }
}

void check_authority(const Place& place, const HeaderCondition& condition) {
    if (condition.kind == HeaderCondition::Kind::regex) return;
    const bool valid =
        !condition.value.empty() && std::none_of(condition.value.begin(), condition.value.end(),
                                                 [](unsigned char c) { return c <= ' ' || c == '/' || c == 0x7f; });
    if (!valid)
        place.error("'" + condition.value + "' is no authority", "write HOST or HOST:PORT as in the Host header");
}

void check_method(const Place& place, const HeaderCondition& condition) {
    if (condition.kind == HeaderCondition::Kind::regex) return;
    if (std::any_of(condition.value.begin(), condition.value.end(), [](unsigned char c) { return std::islower(c); })) {
        place.warn("'" + condition.value + "' matches no usual method", "methods are compared as they are: GET, POST");
    }
}

void check_scheme(const Place& place, const HeaderCondition& condition) {
    if (condition.kind == HeaderCondition::Kind::exact && condition.value != "http") {
        place.warn("'" + condition.value + "' matches no mirrored request", "only unencrypted HTTP can be read");
    }
}

void check_condition(const Place& place, const HeaderCondition& condition) {
    if (condition.kind == HeaderCondition::Kind::regex) {
        if (const auto pattern = Pattern::make(condition.value); !pattern) {
            place.error(pattern.error().message, pattern.error().hint);
        }
    }
    if (condition.name == "uri") check_uri(place, condition);
    if (condition.name == "authority") check_authority(place, condition);
    if (condition.name == "method") check_method(place, condition);
    if (condition.name == "scheme") check_scheme(place, condition);
}

}  // namespace

std::vector<HeaderCondition> decode_request_conditions(const FieldReader& request) {
    std::vector<HeaderCondition> conditions;
    request.allow_only({"headers"});
    const auto headers = request.message("headers");
    if (!headers) return conditions;
    for (const auto& entry : headers->node().members) {
        const Place place{*headers, field_path(headers->path(), entry.key), entry.value.at};
        if (!is_header_name(entry.key)) {
            headers->report(Severity::error, entry.at, place.path, "header name '" + entry.key + "' invalid",
                            "header names are non-empty and in lower case");
        }
        std::optional<HeaderCondition> condition;
        if (entry.value.kind == Node::Kind::string) {
            condition = HeaderCondition{entry.key, HeaderCondition::Kind::exact, entry.value.text};
        } else if (entry.value.is_scalar()) {
            place.error("must be a string or one of exact, prefix and regex, this is " +
                            std::string(kind_name(entry.value.kind)),
                        "put it in quotes: \"" + entry.value.text + "\"");
        } else {
            const FieldReader match(headers->context(), entry.value, place.path);
            if (match.is_map()) condition = decode_string_match(match, entry.key);
        }
        if (!condition) continue;
        check_condition(place, *condition);
        conditions.push_back(std::move(*condition));
    }
    std::sort(conditions.begin(), conditions.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return conditions;
}

}  // namespace umbra::rules
