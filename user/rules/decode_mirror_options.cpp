#include "rules/decode_mirror_options.h"

#include <algorithm>
#include <chrono>

#include "rules/decode_header_edits.h"
#include "rules/host_name.h"
#include "rules/quantity.h"
#include "rules/read_word.h"

namespace umbra::rules {

namespace {

using namespace std::chrono_literals;

void decode_percent(const FieldReader& fields, double& percent) {
    const auto value = fields.number("percent");
    if (!value) return;
    if (*value >= 0 && *value <= 100) {
        percent = *value;
        return;
    }
    fields.error("percent", "percentage " + fields.get("percent")->text + " is not in range 0..100");
}

Sampling decode_sampling(const FieldReader& fields) {
    fields.allow_only({"by", "header"});
    Sampling sampling;
    read_word(fields, "by", kSamplingNames, sampling.by);
    const bool by_header = sampling.by == Sampling::By::header;
    if (by_header && !fields.has("header"))
        fields.error("header", "is required with 'by: header'", "header: the name whose value decides");
    if (!by_header && fields.has("header")) fields.error("header", "is for 'by: header' only");
    if (const auto header = fields.text("header"))
        sampling.header =
            decode_header_name({fields, *header, fields.at("header"), fields.path("header")}).value_or("");
    return sampling;
}

bool is_authority(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return c > ' ' && c < 0x7f && c != '/' && c != '@' && c != '?' && c != '#' && c != ',';
    });
}

void decode_host(const FieldReader& fields, MirrorSettings& settings) {
    fields.allow_only({"policy", "value"});
    settings.host = HostPolicy::keep;
    if (!fields.has("policy")) fields.error("policy", "is required", "keep, shadow or literal");
    read_word(fields, "policy", kHostPolicyNames, settings.host);
    const bool literal = settings.host == HostPolicy::literal;
    settings.host_literal = fields.text("value").value_or("");
    if (literal && !fields.has("value")) fields.error("value", "is required with 'policy: literal'");
    if (!literal && fields.has("value")) fields.error("value", "is for 'policy: literal' only");
    if (literal && fields.has("value") && !is_authority(settings.host_literal))
        fields.error("value", "'" + settings.host_literal + "' is no host", "write HOST or HOST:PORT");
}

TlsOrigination decode_tls(const FieldReader& fields) {
    fields.allow_only({"serverName", "caFile", "insecureSkipVerify"});
    TlsOrigination tls;
    tls.on = true;
    tls.verify = !fields.boolean("insecureSkipVerify").value_or(false);
    tls.server_name = fields.text("serverName").value_or("");
    tls.ca_file = fields.text("caFile").value_or("");
    if (fields.has("serverName") && !is_domain_name(tls.server_name) && !IpAddress::parse(tls.server_name))
        fields.error("serverName", "'" + tls.server_name + "' is no host name and no address", "without a port");
    const bool absolute =
        tls.ca_file.size() > 1 && tls.ca_file.front() == '/' && tls.ca_file.find('\0') == std::string::npos;
    if (fields.has("caFile") && !absolute)
        fields.error("caFile", "'" + tls.ca_file + "' is no absolute path", "a PEM file on the agent's host");
    if (!tls.verify && fields.has("caFile"))
        fields.warn("caFile", "is not used: 'insecureSkipVerify' switches verification off");
    return tls;
}

std::uint32_t decode_count(const FieldReader& fields, std::string_view name) {
    return static_cast<std::uint32_t>(fields.integer(name, 1, UINT32_MAX).value_or(0));
}

std::uint64_t decode_bytes(const FieldReader& fields, std::string_view name) {
    const auto* node = fields.get(name);
    if (!node) return 0;
    const bool fits = node->kind == Node::Kind::integer || node->kind == Node::Kind::string;
    const auto value = fits ? parse_quantity(node->text) : std::nullopt;
    if (value && *value > 0) return *value;
    fields.error(name, "'" + node->text + "' is no number of bytes above 0",
                 "a whole number, with k, M, G, T, Ki, Mi, Gi or Ti behind it: 16Mi");
    return 0;
}

MirrorLimits decode_limits(const FieldReader& fields) {
    fields.allow_only({"connections", "inFlight", "queuedBytes", "bytesPerSecond"});
    return {decode_count(fields, "connections"), decode_count(fields, "inFlight"), decode_bytes(fields, "queuedBytes"),
            decode_bytes(fields, "bytesPerSecond")};
}

TimeNs decode_timeout(const FieldReader& fields, std::string_view name) {
    const auto value = fields.duration(name);
    if (!value) return 0;
    if (*value >= 1ms && *value <= 24h) return static_cast<TimeNs>(value->count());
    fields.error(name, "'" + fields.get(name)->text + "' is not in range 1ms..24h", "leave it out for the agent's own");
    return 0;
}

MirrorTimeouts decode_timeouts(const FieldReader& fields) {
    fields.allow_only({"connect", "response", "idle"});
    return {decode_timeout(fields, "connect"), decode_timeout(fields, "response"), decode_timeout(fields, "idle")};
}

// Heads are edited by field, and raw bytes have none.
void check_raw(const FieldReader& fields, const MirrorOptions& options) {
    const auto& settings = options.settings;
    const auto refuse = [&](std::string_view field) {
        if (fields.has(field)) fields.error(field, "excluded by 'protocol: raw', whose bytes have no headers");
    };
    for (const std::string_view field : {"headers", "requestId", "marker", "redact"}) refuse(field);
    if (settings.host != HostPolicy::keep) refuse("host");
    if (settings.client_address == ClientAddress::forwarded_for) refuse("clientAddress");
    if (settings.sampling.by == Sampling::By::header) refuse("sampling");
    if (settings.safe_methods_only) {
        fields.warn("safeMethodsOnly", "nothing is mirrored: 'protocol: raw' has no methods",
                    "leave one of the two out");
    }
}

}  // namespace

void decode_mirror_options(const FieldReader& fields, const std::string& rule_key, MirrorOptions& options) {
    auto& settings = options.settings;
    decode_percent(fields, options.percent);
    if (const auto sampling = fields.message("sampling")) settings.sampling = decode_sampling(*sampling);
    if (const auto host = fields.message("host")) decode_host(*host, settings);
    decode_header_edits(fields, rule_key, settings);
    read_word(fields, "clientAddress", kClientAddressNames, settings.client_address);
    if (const auto tls = fields.message("tls")) settings.tls = decode_tls(*tls);
    settings.safe_methods_only = fields.boolean("safeMethodsOnly").value_or(settings.safe_methods_only);
    read_word(fields, "loadBalancing", kBalanceNames, settings.balance);
    read_word(fields, "order", kOrderNames, settings.order);
    if (const auto limits = fields.message("limits")) settings.limits = decode_limits(*limits);
    if (const auto timeouts = fields.message("timeouts")) settings.timeouts = decode_timeouts(*timeouts);
}

void check_mirror_options(const FieldReader& fields, Protocol protocol, const MirrorOptions& options) {
    const auto& settings = options.settings;
    if (protocol == Protocol::raw) check_raw(fields, options);
    if (settings.client_address == ClientAddress::proxy_v2 && settings.order == Order::request) {
        fields.error(fields.has("order") ? "order" : "clientAddress", "'proxyV2' excludes 'order: request'",
                     "the PROXY header names the client once per connection, and a pool mixes clients");
    }
}

}  // namespace umbra::rules
