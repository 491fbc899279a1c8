// Every validation rule of MirrorPolicy with a passing and a failing document; each failure names the field's path and
// line.
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
    return "apiVersion: umbra.dev/v1alpha1\nkind: MirrorPolicy\nmetadata: {name: p}\nspec:\n" + spec +
           "---\napiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: r}\nspec: {destination: "
           "{name: "
           "a}, mirror: {name: b}}\n";
}

#define REF "  targetRef: {kind: RouteRule, name: r}\n"

const Case kCases[] = {
    {"TargetRequired", REF, "  percent: 1\n", 5, "spec.targetRef", "is required"},
    {"TargetName", REF, "  targetRef: {kind: RouteRule}\n", 5, "spec.targetRef.name", "is required"},
    {"TargetNameIsAName", REF, "  targetRef: {kind: RouteRule, name: default/r}\n", 5, "spec.targetRef.name",
     "no name of a rule"},
    {"TargetKind", REF, "  targetRef: {name: r}\n", 5, "spec.targetRef.kind", "is required"},
    {"TargetKindKnown", REF, "  targetRef: {kind: RoutRule, name: r}\n", 5, "spec.targetRef.kind",
     "no kind that a policy can be for"},
    {"TargetGroup", "  targetRef: {group: config.istio.io, kind: RouteRule, name: r}\n",
     "  targetRef: {group: networking.istio.io, kind: RouteRule, name: r}\n", 5, "spec.targetRef.group",
     "has no rules"},
    {"TargetFields", REF, "  targetRef: {kind: RouteRule, name: r, namespace: x}\n", 5, "spec.targetRef.namespace",
     "unknown field"},
    {"SpecFields", REF "  percent: 1\n", REF "  percnt: 1\n", 6, "spec.percnt", "unknown field"},
    {"Protocol", REF "  protocol: http2\n", REF "  protocol: grpc\n", 6, "spec.protocol", "'grpc' is not known here"},
    {"PercentFromZero", REF "  percent: 0\n", REF "  percent: -0.1\n", 6, "spec.percent", "not in range 0..100"},
    {"PercentToHundred", REF "  percent: 100\n", REF "  percent: 100.01\n", 6, "spec.percent", "not in range 0..100"},
    {"PercentIsNumber", REF "  percent: 0.000001\n", REF "  percent: '5'\n", 6, "spec.percent", "must be a number"},
    {"PercentIsFinite", REF "  percent: 5\n", REF "  percent: .nan\n", 6, "spec.percent", "must be a"},
    {"SamplingBy", REF "  sampling: {by: request}\n", REF "  sampling: {by: session}\n", 6, "spec.sampling.by",
     "'session' is not known here"},
    {"SamplingNeedsHeader", REF "  sampling: {by: header, header: X-User}\n", REF "  sampling: {by: header}\n", 6,
     "spec.sampling.header", "is required"},
    {"SamplingHeaderOnlyThere", REF "  sampling: {by: flow}\n", REF "  sampling: {by: flow, header: x}\n", 6,
     "spec.sampling.header", "for 'by: header' only"},
    {"SamplingHeaderName", REF "  sampling: {by: header, header: x-1}\n",
     REF "  sampling: {by: header, header: 'a b'}\n", 6, "spec.sampling.header", "no name of a header"},
    {"HostPolicy", REF "  host: {policy: shadow}\n", REF "  host: {policy: suffix}\n", 6, "spec.host.policy",
     "'suffix' is not known here"},
    {"HostPolicyRequired", REF "  host: {policy: keep}\n", REF "  host: {}\n", 6, "spec.host.policy", "is required"},
    {"HostLiteral", REF "  host: {policy: literal, value: 'v2.example:8080'}\n", REF "  host: {policy: literal}\n", 6,
     "spec.host.value", "is required"},
    {"HostValueOnlyThere", REF "  host: {policy: keep}\n", REF "  host: {policy: keep, value: a}\n", 6,
     "spec.host.value", "for 'policy: literal' only"},
    {"HostValue", REF "  host: {policy: literal, value: '[fd00::1]:80'}\n",
     REF "  host: {policy: literal, value: \"a\\r\\nb\"}\n", 6, "spec.host.value", "no host"},
    {"HeaderSetName", REF "  headers: {set: {X-A.b_~: c}}\n", REF "  headers: {set: {'x a': c}}\n", 6,
     "spec.headers.set[\"x a\"]", "no name of a header"},
    {"HeaderAddName", REF "  headers: {add: {x-a: ''}}\n", REF "  headers: {add: {'x:a': c}}\n", 6,
     "spec.headers.add[\"x:a\"]", "no name of a header"},
    {"HeaderRemoveName", REF "  headers: {remove: [x-a]}\n", REF "  headers: {remove: ['']}\n", 6,
     "spec.headers.remove[0]", "no name of a header"},
    {"HeaderPseudo", REF "  headers: {set: {path: /}}\n", REF "  headers: {set: {':path': /}}\n", 6,
     "spec.headers.set[\":path\"]", "no name of a header"},
    {"HeaderHost", REF "  headers: {set: {x-host: a}}\n", REF "  headers: {set: {Host: a}}\n", 6,
     "spec.headers.set.Host", "'host' cannot be edited"},
    {"HeaderLength", REF "  headers: {remove: [x]}\n", REF "  headers: {remove: [Content-Length]}\n", 6,
     "spec.headers.remove[0]", "'content-length' cannot be edited"},
    {"HeaderEncoding", REF "  headers: {add: {x: a}}\n", REF "  headers: {add: {transfer-encoding: chunked}}\n", 6,
     "spec.headers.add.transfer-encoding", "cannot be edited"},
    {"HeaderConnection", REF "  headers: {remove: [x]}\n", REF "  headers: {remove: [connection]}\n", 6,
     "spec.headers.remove[0]", "cannot be edited"},
    {"HeaderUpgrade", REF "  headers: {remove: [x]}\n", REF "  headers: {remove: [upgrade]}\n", 6,
     "spec.headers.remove[0]", "cannot be edited"},
    {"HeaderValueCr", REF "  headers: {set: {x: \"a\\tb\"}}\n", REF "  headers: {set: {x: \"a\\rb\"}}\n", 6,
     "spec.headers.set.x", "cannot hold control characters"},
    {"HeaderValueLf", REF "  headers: {add: {x: a}}\n", REF "  headers: {add: {x: \"a\\nb\"}}\n", 6,
     "spec.headers.add.x", "cannot hold control characters"},
    {"HeaderValueNul", REF "  headers: {set: {x: a}}\n", REF "  headers: {set: {x: \"a\\0b\"}}\n", 6, "",
     "a string with a zero byte"},
    {"HeaderValueIsText", REF "  headers: {set: {x: '1'}}\n", REF "  headers: {set: {x: 1}}\n", 6, "spec.headers.set.x",
     "must be a string"},
    {"HeaderValueGiven", REF "  headers: {set: {x: ''}}\n", REF "  headers: {set: {x: }}\n", 6, "spec.headers.set.x",
     "has no value"},
    {"HeaderTwice", REF "  headers: {set: {x-a: b, x-b: c}}\n", REF "  headers: {set: {x-a: b, X-A: c}}\n", 6,
     "spec.headers.set.X-A", "'x-a' is given twice"},
    {"HeaderSetAndRemoved", REF "  headers: {set: {a: b}, remove: [c]}\n",
     REF "  headers: {set: {a: b}, remove: [A]}\n", 6, "spec.headers.remove[0]", "both given and removed"},
    {"HeaderFields", REF "  headers: {}\n", REF "  headers: {replace: {a: b}}\n", 6, "spec.headers.replace",
     "unknown field"},
    {"RequestId", REF "  requestId: {header: X-Request-Id}\n", REF "  requestId: {}\n", 6, "spec.requestId.header",
     "is required"},
    {"RequestIdName", REF "  requestId: {header: x}\n", REF "  requestId: {header: Upgrade}\n", 6,
     "spec.requestId.header", "cannot be edited"},
    {"Marker", REF "  marker: {header: x-m}\n", REF "  marker: {value: a}\n", 6, "spec.marker.header", "is required"},
    {"MarkerName", REF "  marker: {header: x-m}\n", REF "  marker: {header: host}\n", 6, "spec.marker.header",
     "cannot be edited"},
    {"MarkerValue", REF "  marker: {header: x-m, value: a}\n", REF "  marker: {header: x-m, value: \"a\\nb\"}\n", 6,
     "spec.marker.value", "cannot hold control characters"},
    {"RedactCredentials", REF "  redact: {credentials: hash}\n", REF "  redact: {credentials: mask}\n", 6,
     "spec.redact.credentials", "'mask' is not known here"},
    {"RedactAction", REF "  redact: {headers: [{name: a, action: hash}]}\n",
     REF "  redact: {headers: [{name: a, action: hide}]}\n", 6, "spec.redact.headers[0].action", "is not known here"},
    {"RedactName", REF "  redact: {headers: [{name: a}]}\n", REF "  redact: {headers: [{action: drop}]}\n", 6,
     "spec.redact.headers[0].name", "is required"},
    {"RedactFraming", REF "  redact: {headers: [{name: a}]}\n", REF "  redact: {headers: [{name: Content-Length}]}\n",
     6, "spec.redact.headers[0].name", "cannot be edited"},
    {"RedactReplacement", REF "  redact: {headers: [{name: a, action: replace, replacement: x}]}\n",
     REF "  redact: {headers: [{name: a, action: replace}]}\n", 6, "spec.redact.headers[0].replacement", "is required"},
    {"RedactReplacementOnlyThere", REF "  redact: {query: [{name: a, action: replace, replacement: x}]}\n",
     REF "  redact: {query: [{name: a, action: drop, replacement: x}]}\n", 6, "spec.redact.query[0].replacement",
     "for 'action: replace' only"},
    {"RedactTwice", REF "  redact: {headers: [{name: a}, {name: b}]}\n",
     REF "  redact: {headers: [{name: a}, {name: A}]}\n", 6, "spec.redact.headers[1].name", "given twice"},
    {"RedactQueryName", REF "  redact: {query: [{name: 'a%20b'}]}\n", REF "  redact: {query: [{name: 'a&b'}]}\n", 6,
     "spec.redact.query[0].name", "no name of a query parameter"},
    {"RedactQueryReplacement", REF "  redact: {query: [{name: a, action: replace, replacement: '*'}]}\n",
     REF "  redact: {query: [{name: a, action: replace, replacement: 'x y'}]}\n", 6, "spec.redact.query[0].replacement",
     "cannot stand in a query"},
    {"ClientAddress", REF "  clientAddress: proxyV2\n", REF "  clientAddress: proxyV1\n", 6, "spec.clientAddress",
     "is not known here"},
    {"TlsServerName", REF "  tls: {serverName: 10.0.0.1}\n", REF "  tls: {serverName: 'v2.example:443'}\n", 6,
     "spec.tls.serverName", "no host name"},
    {"TlsCaFile", REF "  tls: {caFile: /etc/ssl/x.pem}\n", REF "  tls: {caFile: x.pem}\n", 6, "spec.tls.caFile",
     "no absolute path"},
    {"TlsVerify", REF "  tls: {insecureSkipVerify: true}\n", REF "  tls: {insecureSkipVerify: 1}\n", 6,
     "spec.tls.insecureSkipVerify", "must be a"},
    {"TlsFields", REF "  tls: {}\n", REF "  tls: {verify: true}\n", 6, "spec.tls.verify", "unknown field"},
    {"SafeMethodsOnly", REF "  safeMethodsOnly: true\n", REF "  safeMethodsOnly: 'true'\n", 6, "spec.safeMethodsOnly",
     "must be a"},
    {"LoadBalancing", REF "  loadBalancing: leastOutstanding\n", REF "  loadBalancing: random\n", 6,
     "spec.loadBalancing", "is not known here"},
    {"Order", REF "  order: request\n", REF "  order: none\n", 6, "spec.order", "is not known here"},
    {"LimitConnections", REF "  limits: {connections: 1}\n", REF "  limits: {connections: 0}\n", 6,
     "spec.limits.connections", "not in range"},
    {"LimitInFlight", REF "  limits: {inFlight: 4294967295}\n", REF "  limits: {inFlight: 4294967296}\n", 6,
     "spec.limits.inFlight", "not in range"},
    {"LimitQueuedBytes", REF "  limits: {queuedBytes: 16Mi}\n", REF "  limits: {queuedBytes: 16MiB}\n", 6,
     "spec.limits.queuedBytes", "no number of bytes"},
    {"LimitBytesPerSecond", REF "  limits: {bytesPerSecond: 10000000}\n", REF "  limits: {bytesPerSecond: 0}\n", 6,
     "spec.limits.bytesPerSecond", "no number of bytes above 0"},
    {"LimitFields", REF "  limits: {}\n", REF "  limits: {requests: 1}\n", 6, "spec.limits.requests", "unknown field"},
    {"TimeoutConnect", REF "  timeouts: {connect: 1ms}\n", REF "  timeouts: {connect: 0.5ms}\n", 6,
     "spec.timeouts.connect", "not in range 1ms..24h"},
    {"TimeoutResponse", REF "  timeouts: {response: 24h}\n", REF "  timeouts: {response: 25h}\n", 6,
     "spec.timeouts.response", "not in range 1ms..24h"},
    {"TimeoutIdle", REF "  timeouts: {idle: 1m}\n", REF "  timeouts: {idle: 60}\n", 6, "spec.timeouts.idle",
     "must be a string"},
    {"MirrorNamed", REF "  mirrors: [{name: c, labels: {v: x}}]\n", REF "  mirrors: [{percent: 5}]\n", 6,
     "spec.mirrors[0]", "name or service is mandatory"},
    {"MirrorOption", REF "  mirrors: [{name: c, percent: 5}]\n", REF "  mirrors: [{name: c, percent: 101}]\n", 6,
     "spec.mirrors[0].percent", "not in range"},
    {"MirrorFields", REF "  mirrors: [{name: c, order: request}]\n", REF "  mirrors: [{name: c, protocol: raw}]\n", 6,
     "spec.mirrors[0].protocol", "unknown field"},
    {"ProxyV2WithPool", REF "  clientAddress: proxyV2\n  order: connection\n",
     REF "  clientAddress: proxyV2\n  order: request\n", 7, "spec.order", "'proxyV2' excludes 'order: request'"},
    {"ProxyV2WithPoolInherited", REF "  clientAddress: proxyV2\n  mirrors: [{name: c}]\n",
     REF "  clientAddress: proxyV2\n  mirrors: [{name: c, order: request}]\n", 7, "spec.mirrors[0].order",
     "'proxyV2' excludes 'order: request'"},
    {"RawHeaders", REF "  protocol: http1\n  headers: {set: {a: b}}\n",
     REF "  protocol: raw\n  headers: {set: {a: b}}\n", 7, "spec.headers", "excluded by 'protocol: raw'"},
    {"RawRequestId", REF "  requestId: {header: a}\n", REF "  protocol: raw\n  requestId: {header: a}\n", 7,
     "spec.requestId", "excluded by 'protocol: raw'"},
    {"RawMarker", REF "  marker: {header: a}\n", REF "  protocol: raw\n  marker: {header: a}\n", 7, "spec.marker",
     "excluded by 'protocol: raw'"},
    {"RawRedact", REF "  redact: {credentials: drop}\n", REF "  protocol: raw\n  redact: {credentials: drop}\n", 7,
     "spec.redact", "excluded by 'protocol: raw'"},
    {"RawHost", REF "  protocol: raw\n  host: {policy: keep}\n", REF "  protocol: raw\n  host: {policy: shadow}\n", 7,
     "spec.host", "excluded by 'protocol: raw'"},
    {"RawForwardedFor", REF "  protocol: raw\n  clientAddress: proxyV2\n",
     REF "  protocol: raw\n  clientAddress: forwardedFor\n", 7, "spec.clientAddress", "excluded by 'protocol: raw'"},
    {"RawSampling", REF "  protocol: raw\n  sampling: {by: flow}\n",
     REF "  protocol: raw\n  sampling: {by: header, header: a}\n", 7, "spec.sampling", "excluded by 'protocol: raw'"},
    {"RawMirror", REF "  protocol: raw\n  mirrors: [{name: c}]\n",
     REF "  protocol: raw\n  mirrors:\n  - name: c\n    marker: {header: a}\n", 9, "spec.mirrors[0].marker",
     "excluded by 'protocol: raw'"},
};

class PolicyValidation : public testing::TestWithParam<Case> {};

TEST_P(PolicyValidation, GoodPasses) {
    const auto outcome = load_text(document(GetParam().good));
    EXPECT_TRUE(outcome.ok) << print_diagnostics(outcome.diagnostics);
}

TEST_P(PolicyValidation, BadFailsWhereItIsWrong) {
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

INSTANTIATE_TEST_SUITE_P(MirrorPolicy, PolicyValidation, testing::ValuesIn(kCases),
                         [](const auto& which) { return std::string(which.param.name); });

TEST(PolicyValidationReport, HintsAtWhatWasMeant) {
    const std::pair<const char*, const char*> rows[] = {
        {REF "  safeMethodOnly: true\n", "did you mean 'safeMethodsOnly'?"},
        {REF "  loadBalancing: roundrobin\n", "did you mean 'roundRobin'?"},
        {REF "  order: fifo\n", "one of connection, request"},
        {"  targetRef: {kind: RoutRule, name: r}\n", "did you mean 'RouteRule'?"},
        {REF "  headers: {remove: [Transfer-Encoding]}\n", "where the body ends"},
        {REF "  headers: {set: {upgrade: a}}\n", "the mirror's is another"},
        {REF "  headers: {set: {host: a}}\n", "use host: {policy"}};
    for (const auto& [spec, hint] : rows) {
        const auto outcome = load_text(document(spec));
        EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::error, hint))
            << spec << print_diagnostics(outcome.diagnostics);
    }
}

TEST(PolicyValidationReport, WarnsOfWhatHasNoEffect) {
    const std::pair<const char*, const char*> rows[] = {
        {REF "  tls: {caFile: /x.pem, insecureSkipVerify: true}\n", "spec.tls.caFile: is not used"},
        {REF "  protocol: raw\n  safeMethodsOnly: true\n", "'protocol: raw' has no methods"},
        {REF "  tls:\n", "spec.tls: has no value"}};
    for (const auto& [spec, message] : rows) {
        const auto outcome = load_text(document(spec));
        EXPECT_TRUE(outcome.ok);
        EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning, message))
            << spec << print_diagnostics(outcome.diagnostics);
    }
}

// Limits: policy_mirrors.
TEST(PolicyValidationReport, BoundsTheNumberOfMirrors) {
    std::string list;
    for (int i = 0; i < 16; ++i) list += "  - {name: m" + std::to_string(i) + "}\n";
    EXPECT_TRUE(load_text(document(REF "  mirrors:\n" + list)).ok);
    const auto outcome = load_text(document(REF "  mirrors:\n" + list + "  - {name: more}\n"));
    EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::error, "spec.mirrors: more than 16 further mirrors"));
}

TEST(PolicyValidationReport, ChecksTheDocumentAroundTheSpecification) {
    const std::pair<const char*, const char*> rows[] = {
        {"apiVersion: umbra.dev/v1\nkind: MirrorPolicy\nmetadata: {name: p}\n", "has no kind MirrorPolicy"},
        {"apiVersion: umbra.dev/v1alpha1\nkind: MirrorPolcy\nmetadata: {name: p}\n", "did you mean 'MirrorPolicy'?"},
        {"apiVersion: umbra.dev/v1alpha1\nkind: MirrorPolicy\nmetadata: {name: p}\n", "spec: is required"},
        {"apiVersion: umbra.dev/v1alpha1\nkind: MirrorPolicy\nspec: {}\n", "metadata: is required"},
        {"apiVersion: umbra.dev/v1alpha1\nkind: MirrorPolicy\nmetadata: {nmae: p}\n", "metadata.nmae"}};
    for (const auto& [text, message] : rows) {
        const auto outcome = load_text(text);
        EXPECT_FALSE(outcome.ok) << text;
        EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::error, message))
            << text << print_diagnostics(outcome.diagnostics);
    }
}

}  // namespace
}  // namespace umbra::rules
