#include "rules/proxy_fields.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace umbra::rules {

namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 9> kMethods{"GET",    "HEAD",    "POST",    "PUT",  "PATCH",
                                                   "DELETE", "CONNECT", "OPTIONS", "TRACE"};
constexpr std::string_view kLowerCaseHint = "header names are non-empty and in lower case";

void check_duration(const FieldReader& fields, std::string_view name, bool required) {
    if (!fields.has(name)) {
        if (required) fields.error(name, "is required");
        return;
    }
    const auto value = fields.duration(name);
    if (!value) return;
    if (*value < 1ms) fields.error(name, "duration must be at least 1ms");
    if (*value % 1ms != 0ns) fields.error(name, "only durations to ms precision are supported");
}

void check_percent(const FieldReader& fields) {
    const auto value = fields.number("percent");
    if (value && !(*value >= 0 && *value <= 100)) {
        fields.error("percent", "percentage " + fields.get("percent")->text + " is not in range 0..100");
    }
}

// A oneof: at most one of these fields may be given.
void check_one_of(const FieldReader& fields, std::initializer_list<std::string_view> names) {
    std::string_view first;
    for (const auto name : names) {
        if (!fields.has(name)) continue;
        if (!first.empty()) fields.error(name, "excludes '" + std::string(first) + "'", "keep one of the two");
        if (first.empty()) first = name;
    }
}

void check_redirect(const FieldReader& spec, const FieldReader& redirect) {
    redirect.allow_only({"uri", "authority"});
    const auto uri = redirect.text("uri"), authority = redirect.text("authority");
    if (uri.value_or("").empty() && authority.value_or("").empty()) {
        redirect.error_here("redirect must specify path, host, or both");
    }
    for (const std::string_view other : {"route", "rewrite", "httpFault"}) {
        if (spec.has(other)) spec.error(other, "excluded by 'redirect'", "keep one of the two");
    }
    if (spec.boolean("websocketUpgrade").value_or(false)) {
        spec.error("websocketUpgrade", "excluded by 'redirect'", "keep one of the two");
    }
}

void check_rewrite(const FieldReader& rewrite) {
    rewrite.allow_only({"uri", "authority"});
    const auto uri = rewrite.text("uri"), authority = rewrite.text("authority");
    if (uri.value_or("").empty() && authority.value_or("").empty()) {
        rewrite.error_here("rewrite must specify path, host, or both");
    }
}

void check_timeout(const FieldReader& timeout) {
    timeout.allow_only({"simpleTimeout", "custom"});
    check_one_of(timeout, {"simpleTimeout", "custom"});
    timeout.message("custom");
    if (const auto simple = timeout.message("simpleTimeout")) {
        simple->allow_only({"timeout", "overrideHeaderName"});
        simple->text("overrideHeaderName");
        check_duration(*simple, "timeout", true);
    }
}

void check_retries(const FieldReader& retries) {
    retries.allow_only({"simpleRetry", "custom"});
    check_one_of(retries, {"simpleRetry", "custom"});
    retries.message("custom");
    if (const auto simple = retries.message("simpleRetry")) {
        simple->allow_only({"attempts", "perTryTimeout", "overrideHeaderName"});
        simple->text("overrideHeaderName");
        const auto attempts = simple->integer("attempts", INT32_MIN, INT32_MAX);
        if (attempts && *attempts < 0) simple->error("attempts", "attempts must be in range [0..]");
        check_duration(*simple, "perTryTimeout", true);
    }
}

void check_delay(const FieldReader& delay) {
    delay.allow_only({"percent", "fixedDelay", "exponentialDelay", "overrideHeaderName"});
    check_one_of(delay, {"fixedDelay", "exponentialDelay"});
    check_percent(delay);
    delay.text("overrideHeaderName");
    if (delay.has("exponentialDelay")) {
        delay.duration("exponentialDelay");
        delay.error("exponentialDelay", "exponentialDelay not supported yet", "use fixedDelay");
    } else {
        check_duration(delay, "fixedDelay", true);
    }
}

void check_abort(const FieldReader& abort) {
    abort.allow_only({"percent", "grpcStatus", "http2Error", "httpStatus", "overrideHeaderName"});
    check_one_of(abort, {"grpcStatus", "http2Error", "httpStatus"});
    check_percent(abort);
    abort.text("overrideHeaderName");
    abort.text("http2Error");
    if (abort.has("grpcStatus")) {
        abort.text("grpcStatus");
        abort.error("grpcStatus", "gRPC fault injection not supported yet");
    }
    const auto status = abort.integer("httpStatus", INT32_MIN, INT32_MAX);
    if (status && (*status < 0 || *status > 600)) {
        abort.error("httpStatus", "HTTP status " + std::to_string(*status) + " is not in range 0..600");
    }
}

void check_fault(const FieldReader& fault) {
    fault.allow_only({"delay", "abort"});
    if (const auto delay = fault.message("delay")) check_delay(*delay);
    if (const auto abort = fault.message("abort")) check_abort(*abort);
}

void check_header_list(const FieldReader& cors, std::string_view name) {
    for (const auto& header : cors.texts(name)) {
        if (is_header_name(header.value)) continue;
        cors.report(Severity::error, header.at, header.path, "invalid header name '" + header.value + "'",
                    std::string(kLowerCaseHint));
    }
}

void check_cors(const FieldReader& cors) {
    cors.allow_only({"allowOrigin", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge", "allowCredentials"});
    cors.texts("allowOrigin");
    for (const auto& method : cors.texts("allowMethods")) {
        if (std::find(kMethods.begin(), kMethods.end(), method.value) != kMethods.end()) continue;
        cors.report(Severity::error, method.at, method.path, "'" + method.value + "' is not a supported HTTP method",
                    "GET, HEAD, POST, PUT, PATCH, DELETE, CONNECT, OPTIONS or TRACE");
    }
    check_header_list(cors, "allowHeaders");
    check_header_list(cors, "exposeHeaders");
    cors.boolean("allowCredentials");
    if (!cors.has("maxAge")) return;
    const auto age = cors.duration("maxAge");
    if (!age) return;
    if (*age < 1ms) {
        cors.error("maxAge", "duration must be at least 1ms");
    } else if (*age % 1s != 0ns) {
        cors.error("maxAge", "max_age duration is accurate only to seconds precision");
    }
}

void check_append_headers(const FieldReader& spec) {
    const auto headers = spec.text_map("appendHeaders");
    for (const auto& [name, value] : headers) {
        const auto* entry = spec.get("appendHeaders")->find(name);
        const auto path = field_path(spec.path("appendHeaders"), name);
        if (!is_header_name(name)) {
            spec.report(Severity::error, entry->at, path, "invalid header name '" + name + "'",
                        std::string(kLowerCaseHint));
        }
        if (value.empty()) {
            spec.report(Severity::error, entry->value.at, path, "appended header must have a value");
        }
    }
}

// Always an error: Umbra would have to stand in the path for these, and so would every proxy of that time.
void check_l4_fault(const FieldReader& spec) {
    const auto fault = spec.message("l4Fault");
    if (!fault) return;
    fault->allow_only({"throttle", "terminate"});
    if (const auto throttle = fault->message("throttle")) {
        throttle->allow_only({"percent", "downstreamLimitBps", "upstreamLimitBps", "throttleAfterPeriod",
                              "throttleAfterBytes", "throttleForPeriod"});
        check_percent(*throttle);
    }
    if (const auto terminate = fault->message("terminate")) {
        terminate->allow_only({"percent", "terminateAfterPeriod"});
        check_percent(*terminate);
    }
    spec.error("l4Fault", "L4 faults are not implemented", "remove the field");
}

void warn_ignored(const FieldReader& spec) {
    for (const std::string_view name : {"redirect", "rewrite", "websocketUpgrade", "httpReqTimeout", "httpReqRetries",
                                        "httpFault", "corsPolicy", "appendHeaders"}) {
        if (!spec.has(name)) continue;
        const bool redirected = name == "redirect" && spec.has("mirror");
        spec.warn(name, "cannot be enforced without a proxy in the path; ignored",
                  redirected ? "the mirror gets what reaches the origin, which a redirected request does not" : "");
    }
}

}  // namespace

bool is_header_name(std::string_view name) {
    return !name.empty() && std::none_of(name.begin(), name.end(), [](unsigned char c) { return std::isupper(c); });
}

void check_proxy_fields(const FieldReader& spec) {
    spec.boolean("websocketUpgrade");
    if (const auto redirect = spec.message("redirect")) check_redirect(spec, *redirect);
    if (const auto rewrite = spec.message("rewrite")) check_rewrite(*rewrite);
    if (const auto timeout = spec.message("httpReqTimeout")) check_timeout(*timeout);
    if (const auto retries = spec.message("httpReqRetries")) check_retries(*retries);
    if (const auto fault = spec.message("httpFault")) check_fault(*fault);
    if (const auto cors = spec.message("corsPolicy")) check_cors(*cors);
    check_append_headers(spec);
    check_l4_fault(spec);
    warn_ignored(spec);
}

}  // namespace umbra::rules
