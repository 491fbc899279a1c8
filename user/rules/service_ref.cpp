#include "rules/service_ref.h"

#include <algorithm>
#include <cctype>

#include "rules/host_name.h"

namespace umbra::rules {

namespace {

bool is_label_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return (c < 0x80 && std::isalnum(c)) || c == '-' || c == '_' || c == '.' || c == '/';
    });
}

void check_service(const FieldReader& fields, const ServiceRef& ref) {
    const bool valid = is_domain_name(ref.service) || is_wildcard_host(ref.service) ||
                       (ref.service.find('/') != std::string::npos && IpPrefix::parse(ref.service));
    if (!valid) {
        fields.error("service", "'" + ref.service + "' is no host name, no wildcard and no CIDR block",
                     "write a.b.c, *.b.c, *-b.c, * or 10.0.0.0/8");
    }
    if (!ref.ns.empty()) fields.error("namespace", "namespace is not valid when service is provided");
    if (!ref.domain.empty()) fields.error("domain", "domain is not valid when service is provided");
}

}  // namespace

Labels decode_labels(const FieldReader& fields) {
    auto labels = fields.text_map("labels");
    for (const auto& [key, value] : labels) {
        const auto allowed = "letters, digits and - _ . / only";
        const auto* member = fields.get("labels")->find(key);
        const auto path = field_path(fields.path("labels"), key);
        if (!is_label_text(key))
            fields.report(Severity::error, member->at, path, "invalid label key '" + key + "'", allowed);
        if (!is_label_text(value)) {
            fields.report(Severity::error, member->value.at, path, "invalid label value '" + value + "'", allowed);
        }
    }
    return labels;
}

ServiceRef decode_service_ref(const FieldReader& fields) {
    fields.allow_only({"name", "namespace", "domain", "service", "labels"});
    return read_service_ref(fields);
}

ServiceRef read_service_ref(const FieldReader& fields) {
    ServiceRef ref;
    ref.at = fields.at();
    ref.name = fields.text("name").value_or("");
    ref.ns = fields.text("namespace").value_or("");
    ref.domain = fields.text("domain").value_or("");
    ref.service = fields.text("service").value_or("");
    ref.labels = decode_labels(fields);
    if (!fields.is_map()) return ref;
    if (ref.name.empty() && ref.service.empty()) {
        fields.error_here("name or service is mandatory for a service reference",
                          "name: httpbin means httpbin in the rule's namespace; service: takes a full host name");
    } else if (!ref.name.empty() && !ref.service.empty()) {
        fields.error("service", "specify either name or service, not both");
    } else if (!ref.service.empty()) {
        check_service(fields, ref);
    } else if (!is_dns_label(ref.name)) {
        fields.error("name", "name '" + ref.name + "' must be a DNS label",
                     ref.name.find('.') == std::string::npos ? "lower-case letters, digits and '-' only, at most 63"
                                                             : "use service: for a full host name");
    }
    if (!ref.ns.empty() && !is_dns_label(ref.ns))
        fields.error("namespace", "namespace '" + ref.ns + "' must be a DNS label");
    if (!ref.domain.empty() && !is_domain_name(ref.domain)) {
        fields.error("domain", "'" + ref.domain + "' is no domain name");
    }
    return ref;
}

}  // namespace umbra::rules
