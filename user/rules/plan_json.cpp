#include "rules/plan_json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "umbra/abi/limits.h"

namespace umbra::rules {

namespace {

using nlohmann::json;
using Kind = HeaderCondition::Kind;

constexpr int kFormat = 1;
constexpr const char* kKinds[] = {"exact", "prefix", "regex"};

json write_rule(const PlanRule& rule) {
    json request = json::array(), sources = json::array(), targets = json::array();
    for (const auto& condition : rule.request) {
        request.push_back({{"name", condition.name},
                           {"kind", kKinds[static_cast<std::size_t>(condition.kind)]},
                           {"value", condition.value}});
    }
    for (const auto& prefix : rule.sources) {
        sources.push_back({{"address", prefix.address.to_string()}, {"length", prefix.length}});
    }
    for (const auto& target : rule.targets) {
        json endpoints = json::array();
        for (const auto& endpoint : target.endpoints) endpoints.push_back(endpoint.to_string());
        targets.push_back({{"service_port", target.service_port}, {"endpoints", std::move(endpoints)}});
    }
    return {{"key", rule.key},
            {"precedence", rule.precedence},
            {"destination", rule.destination},
            {"request", std::move(request)},
            {"sources", std::move(sources)},
            {"source_restricted", rule.source_restricted},
            {"percent", rule.percent},
            {"has_mirror", rule.has_mirror},
            {"mirror_host", rule.mirror_host},
            {"mirror_labels", rule.mirror_labels},
            {"targets", std::move(targets)},
            {"mirror_off_reason", rule.mirror_off_reason}};
}

// Reads fields; the first thing that is wrong is remembered, and everything read after it is empty.
class Reader {
public:
    bool failed() const { return !cause_.empty(); }
    const std::string& cause() const { return cause_; }
    void fail(std::string cause) {
        if (cause_.empty()) cause_ = std::move(cause);
    }

    std::string text(const json& object, const char* name) {
        const auto* value = find(object, name);
        if (value && value->is_string()) return value->get<std::string>();
        fail(std::string("'") + name + "' is no string");
        return {};
    }
    bool boolean(const json& object, const char* name) {
        const auto* value = find(object, name);
        if (value && value->is_boolean()) return value->get<bool>();
        fail(std::string("'") + name + "' is no boolean");
        return false;
    }
    double number(const json& object, const char* name) {
        const auto* value = find(object, name);
        if (value && value->is_number()) return value->get<double>();
        fail(std::string("'") + name + "' is no number");
        return 0;
    }
    std::int64_t integer(const json& object, const char* name, std::int64_t least, std::int64_t most) {
        const auto* value = find(object, name);
        const bool fits = value && value->is_number_integer() &&
                          !(value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX);
        const auto result = fits ? value->get<std::int64_t>() : 0;
        if (fits && result >= least && result <= most) return result;
        fail(std::string("'") + name + "' is no integer in range");
        return least;
    }
    const json& list(const json& object, const char* name) {
        static const json kEmpty = json::array();
        const auto* value = find(object, name);
        if (value && value->is_array()) return *value;
        fail(std::string("'") + name + "' is no list");
        return kEmpty;
    }
    std::map<std::string, std::string> text_map(const json& object, const char* name) {
        std::map<std::string, std::string> result;
        const auto* value = find(object, name);
        if (!value || !value->is_object()) {
            fail(std::string("'") + name + "' is no object");
            return result;
        }
        for (const auto& [key, item] : value->items()) {
            if (item.is_string()) result[key] = item.get<std::string>();
            if (!item.is_string()) fail(std::string("'") + name + "' has a value that is no string");
        }
        return result;
    }
    Endpoint endpoint(const json& value) {
        const auto parsed = value.is_string() ? Endpoint::parse(value.get_ref<const std::string&>()) : std::nullopt;
        if (!parsed) fail("an endpoint is not ADDRESS:PORT");
        return parsed.value_or(Endpoint{});
    }

private:
    static const json* find(const json& object, const char* name) {
        if (!object.is_object()) return nullptr;
        const auto found = object.find(name);
        return found == object.end() ? nullptr : &*found;
    }

    std::string cause_;
};

HeaderCondition read_condition(Reader& reader, const json& object) {
    const auto kind = reader.text(object, "kind");
    const auto* found = std::find(std::begin(kKinds), std::end(kKinds), kind);
    if (found == std::end(kKinds)) reader.fail("'" + kind + "' is no kind of condition");
    const auto index = found == std::end(kKinds) ? 0 : found - std::begin(kKinds);
    return {reader.text(object, "name"), static_cast<Kind>(index), reader.text(object, "value")};
}

IpPrefix read_prefix(Reader& reader, const json& object) {
    const auto address = IpAddress::parse(reader.text(object, "address"));
    if (!address) reader.fail("a source prefix has no address");
    return {address.value_or(IpAddress{}), static_cast<std::uint8_t>(reader.integer(object, "length", 0, 128))};
}

MirrorTarget read_target(Reader& reader, const json& object) {
    MirrorTarget target{static_cast<std::uint16_t>(reader.integer(object, "service_port", 1, 65535)), {}};
    for (const auto& endpoint : reader.list(object, "endpoints")) target.endpoints.push_back(reader.endpoint(endpoint));
    return target;
}

PlanRule read_rule(Reader& reader, const json& object) {
    PlanRule rule;
    rule.key = reader.text(object, "key");
    rule.precedence = static_cast<std::int32_t>(reader.integer(object, "precedence", INT32_MIN, INT32_MAX));
    rule.destination = reader.text(object, "destination");
    for (const auto& condition : reader.list(object, "request"))
        rule.request.push_back(read_condition(reader, condition));
    for (const auto& prefix : reader.list(object, "sources")) rule.sources.push_back(read_prefix(reader, prefix));
    rule.source_restricted = reader.boolean(object, "source_restricted");
    rule.percent = reader.number(object, "percent");
    if (!(rule.percent >= 0 && rule.percent <= 100)) reader.fail("'percent' is not in range 0..100");
    rule.has_mirror = reader.boolean(object, "has_mirror");
    rule.mirror_host = reader.text(object, "mirror_host");
    rule.mirror_labels = reader.text_map(object, "mirror_labels");
    for (const auto& target : reader.list(object, "targets")) rule.targets.push_back(read_target(reader, target));
    rule.mirror_off_reason = reader.text(object, "mirror_off_reason");
    return rule;
}

PlanOrigin read_origin(Reader& reader, const json& object, std::size_t rule_count) {
    PlanOrigin origin;
    origin.endpoint = reader.endpoint(object.is_object() && object.contains("endpoint") ? object["endpoint"] : json());
    origin.service = reader.text(object, "service");
    origin.service_port = static_cast<std::uint16_t>(reader.integer(object, "service_port", 1, 65535));
    const auto& candidates = reader.list(object, "candidates");
    if (candidates.empty() || candidates.size() > UMBRA_MAX_CANDIDATES)
        reader.fail("an origin's list of candidates is empty or too long");
    for (const auto& index : candidates) {
        const bool valid = index.is_number_unsigned() && index.get<std::uint64_t>() < rule_count;
        if (!valid) reader.fail("a candidate is no index of a rule");
        origin.candidates.push_back(valid ? index.get<std::uint32_t>() : 0);
    }
    return origin;
}

void check_order(Reader& reader, const Plan& plan) {
    const auto misplaced_rule =
        std::adjacent_find(plan.rules.begin(), plan.rules.end(), [](const auto& a, const auto& b) {
            return a.precedence != b.precedence ? a.precedence < b.precedence : a.key >= b.key;
        });
    if (misplaced_rule != plan.rules.end()) reader.fail("the rules are not sorted");
    const auto misplaced = std::adjacent_find(plan.origins.begin(), plan.origins.end(),
                                              [](const auto& a, const auto& b) { return a.endpoint >= b.endpoint; });
    if (misplaced != plan.origins.end()) reader.fail("the origins are not sorted");
    if (plan.rules.size() > UMBRA_MAX_RULES) reader.fail("too many rules");
    if (plan.origins.size() > UMBRA_MAX_ENDPOINTS) reader.fail("too many origins");
    for (const auto& rule : plan.rules) {
        const bool sorted = std::is_sorted(rule.targets.begin(), rule.targets.end(), [](const auto& a, const auto& b) {
            return a.service_port < b.service_port;
        });
        if (!sorted) reader.fail("the targets of a rule are not sorted");
    }
}

}  // namespace

std::string plan_to_json(const Plan& plan) {
    json rules = json::array(), origins = json::array();
    for (const auto& rule : plan.rules) rules.push_back(write_rule(rule));
    for (const auto& origin : plan.origins) {
        origins.push_back({{"endpoint", origin.endpoint.to_string()},
                           {"service", origin.service},
                           {"service_port", origin.service_port},
                           {"candidates", origin.candidates}});
    }
    const json document{{"format", kFormat}, {"rules", std::move(rules)}, {"origins", std::move(origins)}};
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Plan> plan_from_json(std::string_view text) {
    const auto document = json::parse(text, nullptr, false);
    Reader reader;
    Plan plan;
    if (document.is_discarded()) reader.fail("not JSON");
    reader.integer(document, "format", kFormat, kFormat);
    for (const auto& rule : reader.list(document, "rules")) plan.rules.push_back(read_rule(reader, rule));
    for (const auto& origin : reader.list(document, "origins")) {
        plan.origins.push_back(read_origin(reader, origin, plan.rules.size()));
    }
    check_order(reader, plan);
    if (reader.failed()) return Error{ErrorCode::failure, "reading a plan: " + reader.cause(), ""};
    return plan;
}

}  // namespace umbra::rules
