#include "rules/mirror_json.h"

#include <algorithm>

namespace umbra::rules {

namespace {

using nlohmann::json;
using Pairs = std::vector<std::pair<std::string, std::string>>;

json write_pairs(const Pairs& pairs) {
    json list = json::array();
    for (const auto& [name, value] : pairs) list.push_back({{"name", name}, {"value", value}});
    return list;
}

Pairs read_pairs(JsonReader& reader, const json& object, const char* name) {
    Pairs pairs;
    for (const auto& item : reader.list(object, name))
        pairs.emplace_back(reader.text(item, "name"), reader.text(item, "value"));
    return pairs;
}

json write_redacted(const std::vector<RedactedItem>& items) {
    json list = json::array();
    for (const auto& item : items) {
        list.push_back(
            {{"name", item.name}, {"action", kActionNames.name(item.action)}, {"replacement", item.replacement}});
    }
    return list;
}

std::vector<RedactedItem> read_redacted(JsonReader& reader, const json& object, const char* name) {
    std::vector<RedactedItem> items;
    for (const auto& item : reader.list(object, name)) {
        items.push_back(
            {reader.text(item, "name"), reader.one_of(item, "action", kActionNames), reader.text(item, "replacement")});
    }
    return items;
}

json write_edits(const MirrorSettings& settings) {
    return {{"host", kHostPolicyNames.name(settings.host)},
            {"host_literal", settings.host_literal},
            {"set", write_pairs(settings.headers.set)},
            {"add", write_pairs(settings.headers.add)},
            {"remove", settings.headers.remove},
            {"request_id_header", settings.request_id_header},
            {"marker_header", settings.marker_header},
            {"marker_value", settings.marker_value},
            {"redact_headers", write_redacted(settings.redaction.headers)},
            {"redact_query", write_redacted(settings.redaction.query)},
            {"client_address", kClientAddressNames.name(settings.client_address)}};
}

void read_edits(JsonReader& reader, const json& object, MirrorSettings& settings) {
    settings.host = reader.one_of(object, "host", kHostPolicyNames);
    settings.host_literal = reader.text(object, "host_literal");
    settings.headers.set = read_pairs(reader, object, "set");
    settings.headers.add = read_pairs(reader, object, "add");
    settings.headers.remove = reader.texts(object, "remove");
    settings.request_id_header = reader.text(object, "request_id_header");
    settings.marker_header = reader.text(object, "marker_header");
    settings.marker_value = reader.text(object, "marker_value");
    settings.redaction.headers = read_redacted(reader, object, "redact_headers");
    settings.redaction.query = read_redacted(reader, object, "redact_query");
    settings.client_address = reader.one_of(object, "client_address", kClientAddressNames);
}

json write_delivery(const MirrorSettings& settings) {
    return {{"sampling", kSamplingNames.name(settings.sampling.by)},
            {"sampling_header", settings.sampling.header},
            {"tls", settings.tls.on},
            {"tls_verify", settings.tls.verify},
            {"tls_server_name", settings.tls.server_name},
            {"tls_ca_file", settings.tls.ca_file},
            {"safe_methods_only", settings.safe_methods_only},
            {"balance", kBalanceNames.name(settings.balance)},
            {"order", kOrderNames.name(settings.order)},
            {"connections", settings.limits.connections},
            {"in_flight", settings.limits.in_flight},
            {"queued_bytes", settings.limits.queued_bytes},
            {"bytes_per_second", settings.limits.bytes_per_second},
            {"connect_timeout", settings.timeouts.connect},
            {"response_timeout", settings.timeouts.response},
            {"idle_timeout", settings.timeouts.idle}};
}

void read_delivery(JsonReader& reader, const json& object, MirrorSettings& settings) {
    const auto number = [&](const char* name) {
        return static_cast<std::uint64_t>(reader.integer(object, name, 0, INT64_MAX));
    };
    const auto small = [&](const char* name) {
        return static_cast<std::uint32_t>(reader.integer(object, name, 0, UINT32_MAX));
    };
    settings.sampling = {reader.one_of(object, "sampling", kSamplingNames), reader.text(object, "sampling_header")};
    settings.tls = {reader.boolean(object, "tls"), reader.boolean(object, "tls_verify"),
                    reader.text(object, "tls_server_name"), reader.text(object, "tls_ca_file")};
    settings.safe_methods_only = reader.boolean(object, "safe_methods_only");
    settings.balance = reader.one_of(object, "balance", kBalanceNames);
    settings.order = reader.one_of(object, "order", kOrderNames);
    settings.limits = {small("connections"), small("in_flight"), number("queued_bytes"), number("bytes_per_second")};
    settings.timeouts = {number("connect_timeout"), number("response_timeout"), number("idle_timeout")};
}

MirrorTarget read_target(JsonReader& reader, const json& object) {
    MirrorTarget target{static_cast<std::uint16_t>(reader.integer(object, "service_port", 1, 65535)), {}};
    for (const auto& endpoint : reader.list(object, "endpoints")) target.endpoints.push_back(reader.endpoint(endpoint));
    return target;
}

}  // namespace

json write_mirror(const PlanMirror& mirror) {
    json targets = json::array();
    for (const auto& target : mirror.targets) {
        json endpoints = json::array();
        for (const auto& endpoint : target.endpoints) endpoints.push_back(endpoint.to_string());
        targets.push_back({{"service_port", target.service_port}, {"endpoints", std::move(endpoints)}});
    }
    return {{"host", mirror.host},
            {"labels", mirror.labels},
            {"targets", std::move(targets)},
            {"off_reason", mirror.off_reason},
            {"percent", mirror.percent},
            {"edits", write_edits(mirror.settings)},
            {"delivery", write_delivery(mirror.settings)}};
}

PlanMirror read_mirror(JsonReader& reader, const json& object) {
    PlanMirror mirror;
    mirror.host = reader.text(object, "host");
    mirror.labels = reader.text_map(object, "labels");
    for (const auto& target : reader.list(object, "targets")) mirror.targets.push_back(read_target(reader, target));
    const bool sorted = std::is_sorted(mirror.targets.begin(), mirror.targets.end(),
                                       [](const auto& a, const auto& b) { return a.service_port < b.service_port; });
    if (!sorted) reader.fail("the targets of a mirror are not sorted");
    mirror.off_reason = reader.text(object, "off_reason");
    mirror.percent = reader.number(object, "percent");
    if (!(mirror.percent >= 0 && mirror.percent <= 100)) reader.fail("'percent' is not in range 0..100");
    read_edits(reader, reader.object(object, "edits"), mirror.settings);
    read_delivery(reader, reader.object(object, "delivery"), mirror.settings);
    return mirror;
}

}  // namespace umbra::rules
