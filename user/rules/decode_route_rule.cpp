#include "rules/decode_route_rule.h"

#include <algorithm>

#include "rules/decode_request.h"
#include "rules/metadata.h"
#include "rules/proxy_fields.h"
#include "rules/service_ref.h"

namespace umbra::rules {

namespace {

std::vector<IpPrefix> decode_subnets(const FieldReader& fields, std::string_view name) {
    std::vector<IpPrefix> prefixes;
    for (const auto& subnet : fields.texts(name)) {
        if (const auto prefix = IpPrefix::parse(subnet.value)) {
            prefixes.push_back(*prefix);
        } else {
            fields.report(Severity::error, subnet.at, subnet.path, "'" + subnet.value + "' is not a subnet",
                          "write a.b.c.d, a.b.c.d/nn or an IPv6 address or prefix");
        }
    }
    return prefixes;
}

RuleMatch decode_match(const FieldReader& match) {
    RuleMatch result;
    match.allow_only({"source", "tcp", "udp", "request"});
    if (match.is_map() && match.node().members.empty()) {
        match.report(Severity::warning, match.at(), match.path(), "is empty and matches everything",
                     "leave 'match' out or name a condition");
    }
    if (const auto source = match.message("source")) result.source = decode_service_ref(*source);
    if (const auto tcp = match.message("tcp")) {
        tcp->allow_only({"sourceSubnet", "destinationSubnet"});
        result.source_subnets = decode_subnets(*tcp, "sourceSubnet");
        result.destination_subnets = decode_subnets(*tcp, "destinationSubnet");
    }
    if (const auto udp = match.message("udp")) {
        udp->allow_only({"sourceSubnet", "destinationSubnet"});
        decode_subnets(*udp, "sourceSubnet");
        decode_subnets(*udp, "destinationSubnet");
        match.error("udp", "UDP protocol not supported yet", "remove the condition");
    }
    if (const auto request = match.message("request")) result.request = decode_request_conditions(*request);
    return result;
}

RouteEntry decode_route_entry(const FieldReader& fields) {
    fields.allow_only({"destination", "labels", "weight"});
    RouteEntry entry;
    entry.at = fields.at();
    if (const auto destination = fields.message("destination")) {
        entry.destination = decode_service_ref(*destination);
        if (!entry.destination->labels.empty()) {
            destination->error("labels", "route rule destination labels must be empty",
                               "put them in the entry's labels");
        }
    }
    entry.labels = decode_labels(fields);
    const auto weight = fields.integer("weight", INT32_MIN, INT32_MAX);
    if (weight && (*weight < 0 || *weight > 100)) {
        fields.error("weight", "percentage " + std::to_string(*weight) + " is not in range 0..100");
    }
    entry.weight = static_cast<std::int32_t>(weight.value_or(0));
    return entry;
}

std::vector<RouteEntry> decode_route(const FieldReader& spec) {
    std::vector<RouteEntry> route;
    std::int64_t total = 0;
    std::size_t weighted = 0;
    for (const auto& fields : spec.messages("route")) {
        route.push_back(decode_route_entry(fields));
        total += route.back().weight;
        weighted += route.back().weight > 0 ? 1 : 0;
    }
    const bool lone_default = route.size() == 1 && total == 0;
    if (!route.empty() && !lone_default && total != 100) {
        spec.error("route", "route weights total " + std::to_string(total) + " (must total 100)",
                   "a single entry may leave its weight out");
    }
    if (weighted > 1) {
        spec.warn("route", "the split of traffic cannot be enforced without a proxy in the path; ignored",
                  "flows to the endpoints of every entry with a weight above 0 are mirrored");
    }
    return route;
}

void decode_spec(const FieldReader& spec, RouteRule& rule) {
    spec.allow_only({"destination", "precedence", "match", "route", "redirect", "rewrite", "websocketUpgrade",
                     "httpReqTimeout", "httpReqRetries", "httpFault", "l4Fault", "mirror", "corsPolicy",
                     "appendHeaders"});
    if (const auto destination = spec.message("destination")) {
        rule.destination = decode_service_ref(*destination);
        if (!rule.destination.labels.empty()) {
            destination->error("labels", "route rule destination labels must be empty",
                               "select versions with route[].labels");
        }
    } else if (!spec.has("destination")) {
        spec.error("destination", "route rule must have a destination service", "destination: {name: SERVICE}");
    }
    rule.precedence = static_cast<std::int32_t>(spec.integer("precedence", INT32_MIN, INT32_MAX).value_or(0));
    if (const auto match = spec.message("match")) rule.match = decode_match(*match);
    rule.route = decode_route(spec);
    if (const auto mirror = spec.message("mirror")) rule.mirror = decode_service_ref(*mirror);
    check_proxy_fields(spec);
}

}  // namespace

RouteRule decode_route_rule(const DecodeContext& context, const Node& document) {
    const FieldReader fields(context, document, "");
    fields.allow_only({"apiVersion", "kind", "metadata", "spec", "status"});
    check_metadata_fields(fields);
    const auto metadata = decode_metadata(fields);
    RouteRule rule;
    rule.name = metadata.name;
    rule.ns = metadata.ns;
    rule.location = {context.file, document.at};
    if (const auto spec = fields.message("spec")) {
        decode_spec(*spec, rule);
    } else if (!fields.has("spec")) {
        fields.error("spec", "is required");
    }
    return rule;
}

}  // namespace umbra::rules
