// Names of hosts: their syntax, wildcards, and the host that a service reference of a rule means.
#pragma once

#include <string>
#include <string_view>

#include "rules/route_rule.h"

namespace umbra::rules {

inline constexpr std::string_view kDefaultClusterDomain = "cluster.local";

bool is_dns_label(std::string_view text);      // RFC 1123, lower case, at most 63
bool is_domain_name(std::string_view text);    // labels with dots, at most 255
bool is_wildcard_host(std::string_view text);  // "*", "*.x" or "*-x"

// A wildcard stands for at least one character, except the lone "*", which matches every host.
bool host_matches(std::string_view pattern, std::string_view host);

// "NAME.NAMESPACE.svc.CLUSTER-DOMAIN", or NAME.NAMESPACE.DOMAIN with an explicit domain, or `service` as written.
std::string resolve_host(const ServiceRef& ref, std::string_view rule_namespace, std::string_view cluster_domain);

}  // namespace umbra::rules
