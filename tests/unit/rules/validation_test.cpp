// Every validation rule of the RouteRule language with a passing and a failing document; each failure names the
// field's path and line. R2.
#include <gtest/gtest.h>

#include <algorithm>

#include "documents.h"

namespace umbra::rules {
namespace {

struct Case {
    const char* name;
    const char* good;  // the specification, its first line is line 5
    const char* bad;
    std::uint32_t line;
    const char* path;
    const char* message;
};

std::string document(const std::string& spec) {
    return "apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: r}\nspec:\n" + spec;
}

#define DEST "  destination: {name: a}\n"

const Case kCases[] = {
    {"DestinationRequired", DEST, "  precedence: 1\n", 5, "spec.destination", "must have a destination service"},
    {"DestinationWithoutLabels", DEST, "  destination:\n    name: a\n    labels: {v: x}\n", 7,
     "spec.destination.labels", "labels must be empty"},
    {"NameOrService", "  destination: {service: a.b.c}\n", "  destination: {namespace: b}\n", 5, "spec.destination",
     "name or service is mandatory"},
    {"NotNameAndService", DEST, "  destination:\n    name: a\n    service: a.b\n", 7, "spec.destination.service",
     "specify either name or service, not both"},
    {"NameIsLabel", "  destination: {name: a-1}\n", "  destination: {name: a.b}\n", 5, "spec.destination.name",
     "must be a DNS label"},
    {"NameIsShort", "  destination: {name: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123}\n",
     "  destination: {name: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234}\n", 5,
     "spec.destination.name", "must be a DNS label"},
    {"NameNotUpperCase", DEST, "  destination: {name: Web}\n", 5, "spec.destination.name", "must be a DNS label"},
    {"ServiceIsHost", "  destination: {service: '*.foo.com'}\n", "  destination: {service: 'a..b'}\n", 5,
     "spec.destination.service", "no host name"},
    {"ServiceWildcard", "  destination: {service: '*-bar.foo.com'}\n", "  destination: {service: 'a*.foo.com'}\n", 5,
     "spec.destination.service", "no host name"},
    {"ServiceLoneStar", "  destination: {service: '*'}\n", "  destination: {service: '**'}\n", 5,
     "spec.destination.service", "no host name"},
    {"ServiceBlock", "  destination: {service: 10.0.0.0/8}\n", "  destination: {service: 10.0.0.0/40}\n", 5,
     "spec.destination.service", "no CIDR block"},
    {"ServiceExcludesNamespace", "  destination: {name: a, namespace: b}\n",
     "  destination:\n    service: a.b\n    namespace: b\n", 7, "spec.destination.namespace", "not valid when service"},
    {"ServiceExcludesDomain", "  destination: {name: a, domain: svc.x}\n",
     "  destination:\n    service: a.b\n    domain: x\n", 7, "spec.destination.domain", "not valid when service"},
    {"NamespaceIsLabel", "  destination: {name: a, namespace: b-c}\n", "  destination: {name: a, namespace: b.c}\n", 5,
     "spec.destination.namespace", "must be a DNS label"},
    {"DomainIsFqdn", "  destination: {name: a, domain: svc.x.y}\n", "  destination: {name: a, domain: x_y}\n", 5,
     "spec.destination.domain", "no domain name"},
    {"LabelKey", DEST "  route: [{labels: {a.b/c_d-e: x}}]\n", DEST "  route:\n  - labels:\n      a b: x\n", 8,
     "spec.route[0].labels[\"a b\"]", "invalid label key"},
    {"LabelValue", DEST "  route: [{labels: {a: ''}}]\n", DEST "  route:\n  - labels:\n      a: x y\n", 8,
     "spec.route[0].labels.a", "invalid label value"},
    {"LabelIsText", DEST "  route: [{labels: {a: '1'}}]\n", DEST "  route: [{labels: {a: 1}}]\n", 6,
     "spec.route[0].labels.a", "must be a string, this is an integer"},
    {"PrecedenceIsInt32", DEST "  precedence: -2147483648\n", DEST "  precedence: 2147483648\n", 6, "spec.precedence",
     "not in range"},
    {"PrecedenceIsInteger", DEST "  precedence: 5\n", DEST "  precedence: '5'\n", 6, "spec.precedence",
     "must be an integer, this is a string"},
    {"WeightFromZero", DEST "  route: [{weight: 0}]\n", DEST "  route: [{weight: -1}]\n", 6, "spec.route[0].weight",
     "percentage -1 is not in range 0..100"},
    {"WeightToHundred", DEST "  route: [{weight: 100}]\n", DEST "  route: [{weight: 101}]\n", 6, "spec.route[0].weight",
     "percentage 101 is not in range 0..100"},
    {"WeightsSumTo100", DEST "  route: [{weight: 60}, {weight: 40}]\n", DEST "  route: [{weight: 60}, {weight: 30}]\n",
     6, "spec.route", "route weights total 90 (must total 100)"},
    {"LoneWeight", DEST "  route: [{labels: {v: a}}]\n", DEST "  route: [{weight: 50}]\n", 6, "spec.route",
     "route weights total 50"},
    {"WeightsNotAllZero", DEST "  route: [{weight: 0}, {weight: 100}]\n", DEST "  route: [{weight: 0}, {}]\n", 6,
     "spec.route", "route weights total 0"},
    {"RouteDestination", DEST "  route: [{destination: {name: b}}]\n", DEST "  route: [{destination: {}}]\n", 6,
     "spec.route[0].destination", "name or service is mandatory"},
    {"RouteDestinationLabels", DEST "  route: [{destination: {name: b}, labels: {v: a}}]\n",
     DEST "  route: [{destination: {name: b, labels: {v: a}}}]\n", 6, "spec.route[0].destination.labels",
     "labels must be empty"},
    {"MirrorNotEmpty", DEST "  mirror: {name: b, labels: {v: a}}\n", DEST "  mirror: {}\n", 6, "spec.mirror",
     "name or service is mandatory"},
    {"MirrorIsMap", DEST "  mirror: {name: b}\n", DEST "  mirror: b\n", 6, "spec.mirror", "must be a mapping"},
    {"SourceChecked", DEST "  match: {source: {name: b, labels: {v: a}}}\n", DEST "  match: {source: {}}\n", 6,
     "spec.match.source", "name or service is mandatory"},
    {"TcpSubnetV4", DEST "  match: {tcp: {sourceSubnet: [10.0.0.1, 10.0.0.0/8]}}\n",
     DEST "  match: {tcp: {sourceSubnet: [10.0.0.0/33]}}\n", 6, "spec.match.tcp.sourceSubnet[0]", "is not a subnet"},
    {"TcpSubnetV6", DEST "  match: {tcp: {destination_subnet: ['fd00::/8']}}\n",
     DEST "  match: {tcp: {destination_subnet: ['fd00::/129']}}\n", 6, "spec.match.tcp.destination_subnet[0]",
     "is not a subnet"},
    {"NoUdp", DEST "  match: {tcp: {}}\n", DEST "  match: {udp: {}}\n", 6, "spec.match.udp",
     "UDP protocol not supported yet"},
    {"HeaderNameLowerCase", DEST "  match: {request: {headers: {x-y: a}}}\n",
     DEST "  match: {request: {headers: {X-Y: a}}}\n", 6, "spec.match.request.headers.X-Y",
     "header name 'X-Y' invalid"},
    {"HeaderNameNotEmpty", DEST "  match: {request: {headers: {x: {exact: ''}}}}\n",
     DEST "  match: {request: {headers: {'': a}}}\n", 6, "spec.match.request.headers[\"\"]", "header name '' invalid"},
    {"StringMatchNeedsOne", DEST "  match: {request: {headers: {x: {prefix: a}}}}\n",
     DEST "  match: {request: {headers: {x: {}}}}\n", 6, "spec.match.request.headers.x",
     "one of exact, prefix and regex"},
    {"StringMatchTakesOne", DEST "  match: {request: {headers: {x: {exact: a}}}}\n",
     DEST "  match: {request: {headers: {x: {exact: a, regex: b}}}}\n", 6, "spec.match.request.headers.x.regex",
     "only one of"},
    {"UriNotEmpty", DEST "  match: {request: {headers: {uri: {prefix: /}}}}\n",
     DEST "  match: {request: {headers: {uri: {prefix: ''}}}}\n", 6, "spec.match.request.headers.uri",
     "must be non-empty"},
    {"RegexSyntax", DEST "  match: {request: {headers: {x: {regex: 'a+'}}}}\n",
     DEST "  match: {request: {headers: {x: {regex: '('}}}}\n", 6, "spec.match.request.headers.x",
     "invalid regular expression"},
    {"RegexIsRe2", DEST "  match: {request: {headers: {x: {regex: '(?:a)'}}}}\n",
     DEST "  match: {request: {headers: {x: {regex: '(?!a)'}}}}\n", 6, "spec.match.request.headers.x",
     "invalid regular expression"},
    {"AuthorityIsAuthority", DEST "  match: {request: {headers: {authority: 'a:80'}}}\n",
     DEST "  match: {request: {headers: {authority: 'http://a'}}}\n", 6, "spec.match.request.headers.authority",
     "is no authority"},
    {"UnknownField", DEST, DEST "  precedance: 1\n", 6, "spec.precedance", "unknown field"},
    {"UnknownInMatch", DEST "  match: {tcp: {}}\n", DEST "  match: {sourceTags: {}}\n", 6, "spec.match.sourceTags",
     "unknown field"},
    {"UnknownInRoute", DEST "  route: [{weight: 100}]\n", DEST "  route: [{wieght: 100}]\n", 6, "spec.route[0].wieght",
     "unknown field"},
    {"BothSpellings", DEST "  websocket_upgrade: true\n", DEST "  websocketUpgrade: true\n  websocket_upgrade: true\n",
     7, "spec.websocket_upgrade", "given twice"},
    {"RedirectNeedsOne", DEST "  redirect: {uri: /x}\n", DEST "  redirect: {}\n", 6, "spec.redirect",
     "redirect must specify path, host, or both"},
    {"RedirectExcludesRoute", DEST "  redirect: {authority: x}\n",
     DEST "  redirect: {uri: /x}\n  route: [{weight: 100}]\n", 7, "spec.route", "excluded by 'redirect'"},
    {"RedirectExcludesRewrite", DEST "  rewrite: {uri: /}\n", DEST "  redirect: {uri: /x}\n  rewrite: {uri: /}\n", 7,
     "spec.rewrite", "excluded by 'redirect'"},
    {"RedirectExcludesFault", DEST "  httpFault: {}\n", DEST "  redirect: {uri: /x}\n  httpFault: {}\n", 7,
     "spec.httpFault", "excluded by 'redirect'"},
    {"RedirectExcludesWebsocket", DEST "  redirect: {uri: /x}\n  websocketUpgrade: false\n",
     DEST "  redirect: {uri: /x}\n  websocketUpgrade: true\n", 7, "spec.websocketUpgrade", "excluded by 'redirect'"},
    {"RewriteNeedsOne", DEST "  rewrite: {authority: x}\n", DEST "  rewrite: {}\n", 6, "spec.rewrite",
     "rewrite must specify path, host, or both"},
    {"WebsocketIsBool", DEST "  websocketUpgrade: true\n", DEST "  websocketUpgrade: 'true'\n", 6,
     "spec.websocketUpgrade", "must be a boolean"},
    {"TimeoutRequired", DEST "  httpReqTimeout: {simpleTimeout: {timeout: 15s}}\n",
     DEST "  httpReqTimeout: {simpleTimeout: {}}\n", 6, "spec.httpReqTimeout.simpleTimeout.timeout", "is required"},
    {"TimeoutAtLeast1ms", DEST "  httpReqTimeout: {simpleTimeout: {timeout: 1ms}}\n",
     DEST "  httpReqTimeout: {simpleTimeout: {timeout: 100us}}\n", 6, "spec.httpReqTimeout.simpleTimeout.timeout",
     "at least 1ms"},
    {"TimeoutInMs", DEST "  httpReqTimeout: {simpleTimeout: {timeout: 1.5s}}\n",
     DEST "  httpReqTimeout: {simpleTimeout: {timeout: 1ms1us}}\n", 6, "spec.httpReqTimeout.simpleTimeout.timeout",
     "ms precision"},
    {"TimeoutIsGoDuration", DEST "  httpReqTimeout: {simpleTimeout: {timeout: 24h}}\n",
     DEST "  httpReqTimeout: {simpleTimeout: {timeout: 1d}}\n", 6, "spec.httpReqTimeout.simpleTimeout.timeout",
     "'1d' is not a duration"},
    {"TimeoutOneof", DEST "  httpReqTimeout: {custom: {'@type': x}}\n",
     DEST "  httpReqTimeout: {simpleTimeout: {timeout: 1s}, custom: {}}\n", 6, "spec.httpReqTimeout.custom",
     "excludes"},
    {"RetryAttempts", DEST "  httpReqRetries: {simpleRetry: {attempts: 0, perTryTimeout: 1s}}\n",
     DEST "  httpReqRetries: {simpleRetry: {attempts: -1, perTryTimeout: 1s}}\n", 6,
     "spec.httpReqRetries.simpleRetry.attempts", "attempts must be in range"},
    {"RetryTimeoutRequired", DEST "  http_req_retries: {simple_retry: {attempts: 1, per_try_timeout: 1s}}\n",
     DEST "  httpReqRetries: {simpleRetry: {attempts: 1}}\n", 6, "spec.httpReqRetries.simpleRetry.perTryTimeout",
     "is required"},
    {"DelayPercent", DEST "  httpFault: {delay: {percent: 99.9, fixedDelay: 1s}}\n",
     DEST "  httpFault: {delay: {percent: 100.1, fixedDelay: 1s}}\n", 6, "spec.httpFault.delay.percent",
     "percentage 100.1 is not in range 0..100"},
    {"DelayRequired", DEST "  httpFault: {delay: {fixedDelay: 1s}}\n", DEST "  httpFault: {delay: {percent: 1}}\n", 6,
     "spec.httpFault.delay.fixedDelay", "is required"},
    {"DelayExponential", DEST "  httpFault: {delay: {fixedDelay: 5s}}\n",
     DEST "  httpFault: {delay: {exponentialDelay: 5s}}\n", 6, "spec.httpFault.delay.exponentialDelay",
     "exponentialDelay not supported yet"},
    {"AbortPercent", DEST "  httpFault: {abort: {percent: 0, httpStatus: 500}}\n",
     DEST "  httpFault: {abort: {percent: -1, httpStatus: 500}}\n", 6, "spec.httpFault.abort.percent", "not in range"},
    {"AbortStatus", DEST "  httpFault: {abort: {httpStatus: 600}}\n", DEST "  httpFault: {abort: {httpStatus: 601}}\n",
     6, "spec.httpFault.abort.httpStatus", "not in range 0..600"},
    {"AbortGrpc", DEST "  httpFault: {abort: {http2Error: X}}\n", DEST "  httpFault: {abort: {grpcStatus: X}}\n", 6,
     "spec.httpFault.abort.grpcStatus", "gRPC fault injection not supported yet"},
    {"NoL4Fault", DEST, DEST "  l4Fault: {throttle: {percent: 10}}\n", 6, "spec.l4Fault",
     "L4 faults are not implemented"},
    {"CorsHeaderLowerCase", DEST "  corsPolicy: {allowHeaders: [x-foo-bar]}\n",
     DEST "  corsPolicy: {allowHeaders: [X-Foo-Bar]}\n", 6, "spec.corsPolicy.allowHeaders[0]", "invalid header name"},
    {"CorsExposeLowerCase", DEST "  corsPolicy: {exposeHeaders: [a]}\n", DEST "  corsPolicy: {exposeHeaders: ['']}\n",
     6, "spec.corsPolicy.exposeHeaders[0]", "invalid header name"},
    {"CorsMethod", DEST "  corsPolicy: {allowMethods: [GET, TRACE]}\n", DEST "  corsPolicy: {allowMethods: [get]}\n", 6,
     "spec.corsPolicy.allowMethods[0]", "not a supported HTTP method"},
    {"CorsAgeSeconds", DEST "  corsPolicy: {maxAge: 24h}\n", DEST "  corsPolicy: {maxAge: 1500ms}\n", 6,
     "spec.corsPolicy.maxAge", "seconds precision"},
    {"CorsAgePositive", DEST "  corsPolicy: {maxAge: 1s}\n", DEST "  corsPolicy: {maxAge: 0s}\n", 6,
     "spec.corsPolicy.maxAge", "at least 1ms"},
    {"AppendNameLowerCase", DEST "  appendHeaders: {x-a: b}\n", DEST "  appendHeaders: {X-A: b}\n", 6,
     "spec.appendHeaders.X-A", "invalid header name"},
    {"AppendValue", DEST "  appendHeaders: {x-a: b}\n", DEST "  appendHeaders: {x-a: ''}\n", 6,
     "spec.appendHeaders.x-a", "appended header must have a value"},
};

class Validation : public testing::TestWithParam<Case> {};

TEST_P(Validation, R2_PassingDocumentLoads) {
    const auto outcome = load_text(document(GetParam().good));
    EXPECT_TRUE(outcome.ok) << print_diagnostics(outcome.diagnostics);
}

TEST_P(Validation, R2_FailingDocumentNamesPathAndLine) {
    const auto outcome = load_text(document(GetParam().bad));
    EXPECT_FALSE(outcome.ok);
    const auto found = std::find_if(outcome.diagnostics.begin(), outcome.diagnostics.end(), [](const Diagnostic& d) {
        return d.severity == Severity::error && d.path == GetParam().path &&
               d.message.find(GetParam().message) != std::string::npos;
    });
    ASSERT_NE(found, outcome.diagnostics.end()) << print_diagnostics(outcome.diagnostics);
    EXPECT_EQ(found->file, "test.yaml");
    EXPECT_EQ(found->line, GetParam().line);
    EXPECT_GT(found->column, 0u);
}

INSTANTIATE_TEST_SUITE_P(RouteRule, Validation, testing::ValuesIn(kCases),
                         [](const auto& which) { return std::string(which.param.name); });

TEST(ValidationReport, NamesAllErrorsOfADocument) {
    const auto outcome = load_text(document("  destination: {}\n  mirror: {}\n  l4Fault: {}\n  nope: 1\n"));
    EXPECT_EQ(std::count_if(outcome.diagnostics.begin(), outcome.diagnostics.end(),
                            [](const auto& d) { return d.severity == Severity::error; }),
              4);
}

TEST(ValidationReport, WarnsOfWhatCanNeverMatch) {
    const std::pair<const char*, const char*> rows[] = {{"uri: v1", "matches no path"},
                                                        {"uri: {prefix: '/a?b=c'}", "without its query string"},
                                                        {"method: get", "matches no usual method"},
                                                        {"scheme: https", "matches no mirrored request"}};
    for (const auto& [header, message] : rows) {
        const auto outcome = load_text(document(DEST "  match: {request: {headers: {" + std::string(header) + "}}}\n"));
        EXPECT_TRUE(outcome.ok);
        EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning, message)) << header;
    }
    const auto empty = load_text(document(DEST "  match: {}\n"));
    EXPECT_TRUE(empty.ok && has_finding(empty.diagnostics, Severity::warning, "spec.match: is empty"));
    const auto nothing = load_text(document(DEST "  mirror:\n"));
    EXPECT_TRUE(nothing.ok && has_finding(nothing.diagnostics, Severity::warning, "spec.mirror: has no value"));
}

TEST(ValidationReport, HintsAtTheFieldThatWasMeant) {
    const auto outcome = load_text(document(DEST "  mirorr: {name: b}\n  mirrorPercentage: 5\n"));
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::error, "hint: did you mean 'mirror'?"));
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::error, "hint: a RouteRule has one mirror"));
}

TEST(ValidationReport, ChecksTheDocumentAroundTheSpecification) {
    const std::pair<const char*, const char*> rows[] = {
        {"kind: RouteRule\n", "apiVersion: is required"},
        {"apiVersion: config.istio.io/v1alpha2\n", "kind: is required"},
        {"apiVersion: config.istio.io/v1\nkind: RouteRule\n", "has no kind RouteRule"},
        {"apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nspec: {destination: {name: a}}\n",
         "metadata: is required"},
        {"apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: a}\n", "spec: is required"},
        {"apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: a, namepsace: b}\n",
         "metadata.namepsace"},
        {"apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: a}\nsepc: {}\n",
         "sepc: unknown field"},
        {"- a\n- b\n", "must be a mapping, this is a list"},
        {"hello\n", "must be a mapping, this is a string"}};
    for (const auto& [text, message] : rows) {
        const auto outcome = load_text(text);
        EXPECT_FALSE(outcome.ok) << text;
        EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::error, message))
            << text << print_diagnostics(outcome.diagnostics);
    }
}

}  // namespace
}  // namespace umbra::rules
