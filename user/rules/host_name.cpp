#include "rules/host_name.h"

#include <algorithm>

namespace umbra::rules {

namespace {

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

bool is_dns_label(std::string_view text) {
    if (text.empty() || text.size() > 63 || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back()))
        return false;
    return std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
}

bool is_domain_name(std::string_view text) {
    if (text.empty() || text.size() > 255) return false;
    for (;;) {
        const auto dot = text.find('.');
        if (!is_dns_label(text.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

bool is_wildcard_host(std::string_view text) {
    if (text.empty() || text.size() > 255 || text.front() != '*') return false;
    if (text.size() == 1) return true;
    return (text[1] == '.' || text[1] == '-') && is_domain_name(text.substr(2));
}

bool host_matches(std::string_view pattern, std::string_view host) {
    if (pattern == host || pattern == "*") return true;
    if (pattern.empty() || pattern.front() != '*') return false;
    const auto tail = pattern.substr(1);
    return host.size() > tail.size() && host.substr(host.size() - tail.size()) == tail;
}

std::string resolve_host(const ServiceRef& ref, std::string_view rule_namespace, std::string_view cluster_domain) {
    if (!ref.service.empty()) return ref.service;
    const auto suffix = ref.domain.empty() ? "svc." + std::string(cluster_domain) : ref.domain;
    return ref.name + "." + (ref.ns.empty() ? std::string(rule_namespace) : ref.ns) + "." + suffix;
}

}  // namespace umbra::rules
