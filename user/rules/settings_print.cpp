#include "rules/settings_print.h"

#include <fmt/format.h>

#include <vector>

#include "rules/enum_names.h"

namespace umbra::rules {

namespace {

class Printer {
public:
    void add(const std::string& part) { text_ += (text_.empty() ? "" : "; ") + part; }
    void add_list(const std::string& what, const std::vector<std::string>& names) {
        std::string list;
        for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
        if (!list.empty()) add(what + " " + list);
    }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

std::vector<std::string> names_of(const std::vector<std::pair<std::string, std::string>>& pairs) {
    std::vector<std::string> names;
    for (const auto& [name, value] : pairs) names.push_back(name);
    return names;
}

std::vector<std::string> names_of(const std::vector<RedactedItem>& items) {
    std::vector<std::string> names;
    for (const auto& item : items) names.push_back(item.name + " (" + kActionNames.name(item.action) + ")");
    return names;
}

std::string time_text(TimeNs time) { return fmt::format("{:g} s", static_cast<double>(time) / kSecond); }

void print_edits(Printer& out, const MirrorSettings& settings) {
    if (settings.host == HostPolicy::shadow) out.add("host shadow");
    if (settings.host == HostPolicy::literal) out.add("host " + settings.host_literal);
    out.add_list("set", names_of(settings.headers.set));
    out.add_list("add", names_of(settings.headers.add));
    out.add_list("remove", settings.headers.remove);
    if (!settings.request_id_header.empty()) out.add("request id in " + settings.request_id_header);
    if (!settings.marker_header.empty()) out.add("marker in " + settings.marker_header);
    out.add_list("redact", names_of(settings.redaction.headers));
    out.add_list("redact in the query", names_of(settings.redaction.query));
    if (settings.client_address != ClientAddress::hidden)
        out.add("client address by " + kClientAddressNames.name(settings.client_address));
}

void print_tls(Printer& out, const TlsOrigination& tls) {
    if (!tls.on) return;
    std::string text = "TLS";
    if (!tls.server_name.empty()) text += " to " + tls.server_name;
    if (!tls.ca_file.empty()) text += ", trusting " + tls.ca_file;
    out.add(text + (tls.verify ? "" : ", not verified"));
}

void print_limits(Printer& out, const MirrorLimits& limits) {
    if (limits.connections) out.add(fmt::format("at most {} connections", limits.connections));
    if (limits.in_flight) out.add(fmt::format("at most {} requests in flight", limits.in_flight));
    if (limits.queued_bytes) out.add(fmt::format("at most {} bytes queued", limits.queued_bytes));
    if (limits.bytes_per_second) out.add(fmt::format("at most {} bytes/s", limits.bytes_per_second));
}

void print_timeouts(Printer& out, const MirrorTimeouts& timeouts) {
    if (timeouts.connect) out.add("connect within " + time_text(timeouts.connect));
    if (timeouts.response) out.add("response within " + time_text(timeouts.response));
    if (timeouts.idle) out.add("idle for at most " + time_text(timeouts.idle));
}

}  // namespace

std::string print_settings(const MirrorSettings& settings) {
    Printer out;
    print_edits(out, settings);
    print_tls(out, settings.tls);
    if (settings.safe_methods_only) out.add("safe methods only");
    if (settings.balance != Balance::round_robin) out.add("balanced by " + kBalanceNames.name(settings.balance));
    if (settings.order != Order::connection) out.add("requests spread over a pool");
    print_limits(out, settings.limits);
    print_timeouts(out, settings.timeouts);
    return out.take();
}

}  // namespace umbra::rules
