#include "rules/plan_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "rules/json_reader.h"
#include "rules/mirror_json.h"

#include "umbra/abi/limits.h"

namespace umbra::rules {

namespace {

using nlohmann::json;
using Kind = HeaderCondition::Kind;

constexpr int kFormat = 2;
constexpr const char* kKinds[] = {"exact", "prefix", "regex"};

json write_rule(const PlanRule& rule) {
    json request = json::array(), sources = json::array(), mirrors = json::array();
    for (const auto& condition : rule.request) {
        request.push_back({{"name", condition.name},
                           {"kind", kKinds[static_cast<std::size_t>(condition.kind)]},
                           {"value", condition.value}});
    }
    for (const auto& prefix : rule.sources) {
        sources.push_back({{"address", prefix.address.to_string()}, {"length", prefix.length}});
    }
    for (const auto& mirror : rule.mirrors) mirrors.push_back(write_mirror(mirror));
    return {{"key", rule.key},
            {"precedence", rule.precedence},
            {"destination", rule.destination},
            {"request", std::move(request)},
            {"sources", std::move(sources)},
            {"source_restricted", rule.source_restricted},
            {"protocol", kProtocolNames.name(rule.protocol)},
            {"mirrors", std::move(mirrors)}};
}

HeaderCondition read_condition(JsonReader& reader, const json& object) {
    const auto kind = reader.text(object, "kind");
    const auto* found = std::find(std::begin(kKinds), std::end(kKinds), kind);
    if (found == std::end(kKinds)) reader.fail("'" + kind + "' is no kind of condition");
    const auto index = found == std::end(kKinds) ? 0 : found - std::begin(kKinds);
    return {reader.text(object, "name"), static_cast<Kind>(index), reader.text(object, "value")};
}

IpPrefix read_prefix(JsonReader& reader, const json& object) {
    const auto address = IpAddress::parse(reader.text(object, "address"));
    if (!address) reader.fail("a source prefix has no address");
    return {address.value_or(IpAddress{}), static_cast<std::uint8_t>(reader.integer(object, "length", 0, 128))};
}

PlanRule read_rule(JsonReader& reader, const json& object) {
    PlanRule rule;
    rule.key = reader.text(object, "key");
    rule.precedence = static_cast<std::int32_t>(reader.integer(object, "precedence", INT32_MIN, INT32_MAX));
    rule.destination = reader.text(object, "destination");
    for (const auto& condition : reader.list(object, "request"))
        rule.request.push_back(read_condition(reader, condition));
    for (const auto& prefix : reader.list(object, "sources")) rule.sources.push_back(read_prefix(reader, prefix));
    rule.source_restricted = reader.boolean(object, "source_restricted");
    rule.protocol = reader.one_of(object, "protocol", kProtocolNames);
    for (const auto& mirror : reader.list(object, "mirrors")) rule.mirrors.push_back(read_mirror(reader, mirror));
    return rule;
}

PlanOrigin read_origin(JsonReader& reader, const json& object, std::size_t rule_count) {
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

void check_order(JsonReader& reader, const Plan& plan) {
    const auto misplaced_rule =
        std::adjacent_find(plan.rules.begin(), plan.rules.end(), [](const auto& a, const auto& b) {
            return a.precedence != b.precedence ? a.precedence < b.precedence : a.key >= b.key;
        });
    if (misplaced_rule != plan.rules.end()) reader.fail("the rules are not sorted");
    const auto misplaced = std::adjacent_find(plan.origins.begin(), plan.origins.end(),
                                              [](const auto& a, const auto& b) { return a.endpoint >= b.endpoint; });
    if (misplaced != plan.origins.end()) reader.fail("the origins are not sorted");
    if (slot_keys(plan).size() > UMBRA_MAX_RULES) reader.fail("too many rules and mirrors");
    if (plan.origins.size() > UMBRA_MAX_ENDPOINTS) reader.fail("too many origins");
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
    JsonReader reader;
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
