"""RouteRules and MirrorPolicies with what the schema, the CEL rules and `umbra check` say of them."""

# By whom an object is refused: nobody, the schema itself, a CEL rule in it, or only the agent.
ACCEPTED, SCHEMA, CEL, AGENT = "accepted", "schema", "cel", "agent"

RULES = [
    ("{destination: {name: httpbin}}", ACCEPTED),
    ("{destination: {service: '*.example.com'}, mirror: {service: 10.0.0.0/8}}", ACCEPTED),
    ("{destination: {name: a, namespace: b, domain: svc.cluster.local}, precedence: -3}", ACCEPTED),
    ("{destination: {name: a}, route: [{labels: {version: v1}}]}", ACCEPTED),
    ("{destination: {name: a}, route: []}", ACCEPTED),
    ("{destination: {name: a}, route: [{weight: 40}, {weight: 60, destination: {name: b}}]}", ACCEPTED),
    ("{destination: {name: a}, match: {source: {name: c, labels: {version: v1}}, tcp: {sourceSubnet: [10.0.0.0/8, '::1']},"
     " request: {headers: {uri: {prefix: /a}, cookie: {regex: a.*}, x-user: bob}}}}", ACCEPTED),
    ("{destination: {name: a}, httpReqTimeout: {simpleTimeout: {timeout: 1m30s}}, httpReqRetries: {simpleRetry: "
     "{attempts: 3, perTryTimeout: 2s}}}", ACCEPTED),
    ("{destination: {name: a}, httpFault: {delay: {percent: 0.5, fixedDelay: 5s}, abort: {percent: 10, httpStatus: "
     "400}}}", ACCEPTED),
    ("{destination: {name: a}, corsPolicy: {allowOrigin: [a.b], allowMethods: [GET], allowHeaders: [x], maxAge: 1h,"
     " allowCredentials: true}, appendHeaders: {x-a: b}, websocketUpgrade: true, rewrite: {uri: /x}}", ACCEPTED),
    ("{destination: {name: a}, redirect: {authority: b}}", ACCEPTED),
    ("{precedence: 1}", SCHEMA),
    ("{destination: {name: a}, mirrors: []}", SCHEMA),
    ("{destination: {name: A}}", SCHEMA),
    ("{destination: {name: a.b}}", SCHEMA),
    ("{destination: {name: a, labels: {version: v1}}}", SCHEMA),
    ("{destination: {name: a}, precedence: '1'}", SCHEMA),
    ("{destination: {name: a}, precedence: 2147483648}", SCHEMA),
    ("{destination: {name: a}, route: [{weight: 101}]}", SCHEMA),
    ("{destination: {name: a}, mirror: {name: a, labels: {version: 'v 1'}}}", SCHEMA),
    ("{destination: {name: a}, mirror: {name: a, labels: {version: 1}}}", SCHEMA),
    ("{destination: {name: a}, match: {request: {headers: {uri: {exact: /, prefix: /}}}}}", SCHEMA),
    ("{destination: {name: a}, match: {request: {headers: {uri: {}}}}}", SCHEMA),
    ("{destination: {name: a}, match: {tcp: {sourceSubnet: [somewhere]}}}", SCHEMA),
    ("{destination: {name: a}, httpReqTimeout: {simpleTimeout: {}}}", SCHEMA),
    ("{destination: {name: a}, httpReqTimeout: {simpleTimeout: {timeout: soon}}}", SCHEMA),
    ("{destination: {name: a}, httpFault: {delay: {percent: 101, fixedDelay: 1s}}}", SCHEMA),
    ("{destination: {name: a}, httpFault: {abort: {httpStatus: 601}}}", SCHEMA),
    ("{destination: {name: a}, corsPolicy: {allowMethods: [FETCH]}}", SCHEMA),
    ("{destination: {name: a}, corsPolicy: {allowHeaders: [X-A]}}", SCHEMA),
    ("{destination: {name: a}, appendHeaders: {x: ''}}", SCHEMA),
    ("{destination: {}}", CEL),
    ("{destination: {name: a, service: b.c}}", CEL),
    ("{destination: {service: b.c, namespace: d}}", CEL),
    ("{destination: {name: a}, route: [{weight: 40}, {weight: 50}]}", CEL),
    ("{destination: {name: a}, route: [{weight: 99}]}", CEL),
    ("{destination: {name: a}, match: {udp: {}}}", CEL),
    ("{destination: {name: a}, match: {request: {headers: {X-User: bob}}}}", CEL),
    ("{destination: {name: a}, redirect: {uri: /}, rewrite: {uri: /}}", CEL),
    ("{destination: {name: a}, redirect: {}}", CEL),
    ("{destination: {name: a}, httpReqTimeout: {simpleTimeout: {timeout: 0s}}}", CEL),
    ("{destination: {name: a}, httpReqTimeout: {simpleTimeout: {timeout: 1s}, custom: {}}}", CEL),
    ("{destination: {name: a}, httpFault: {abort: {grpcStatus: x}}}", CEL),
    ("{destination: {name: a}, httpFault: {delay: {fixedDelay: 1s, exponentialDelay: 1s}}}", CEL),
    ("{destination: {name: a}, l4Fault: {}}", CEL),
    ("{destination: {name: a}, appendHeaders: {X-A: b}}", CEL),
    ("{destination: {name: a}, mirror: {name: a, labels: {'a b': c}}}", CEL),
    ("{destination: {name: a}, match: {request: {headers: {uri: {regex: '('}}}}}", AGENT),
    ("{destination: {name: a}, httpReqTimeout: {simpleTimeout: {timeout: 1500us}}}", AGENT),
]

T = "targetRef: {kind: RouteRule, name: rule}"
POLICIES = [
    (f"{{{T}}}", ACCEPTED),
    (f"{{{T}, percent: 12.5, sampling: {{by: header, header: X-User}}, protocol: http1}}", ACCEPTED),
    (f"{{{T}, limits: {{connections: 1, inFlight: 4294967295, queuedBytes: 16Mi, bytesPerSecond: 1000}}}}", ACCEPTED),
    (f"{{{T}, timeouts: {{connect: 1ms, response: 1.5s, idle: 24h}}}}", ACCEPTED),
    (f"{{{T}, host: {{policy: literal, value: 'v2.example:80'}}, headers: {{set: {{X-A: b}}, remove: [x-b]}}}}",
     ACCEPTED),
    (f"{{{T}, redact: {{credentials: hash, headers: [{{name: x-api-key, action: replace, replacement: '*'}}], "
     "query: [{name: token}]}}", ACCEPTED),
    (f"{{{T}, protocol: raw, host: {{policy: keep}}, clientAddress: proxyV2}}", ACCEPTED),
    (f"{{{T}, tls: {{serverName: v2.example, caFile: /etc/x.pem}}, mirrors: [{{name: a, percent: 1}}]}}", ACCEPTED),
    (f"{{{T}, marker: {{header: x-m}}, requestId: {{header: x-request-id}}, order: request}}", ACCEPTED),
    ("{percent: 3}", SCHEMA),
    ("{targetRef: {kind: Service, name: a}}", SCHEMA),
    ("{targetRef: {kind: RouteRule, name: A}}", SCHEMA),
    ("{targetRef: {kind: RouteRule, name: a, group: x}}", SCHEMA),
    (f"{{{T}, percent: 101}}", SCHEMA),
    (f"{{{T}, percent: '10'}}", SCHEMA),
    (f"{{{T}, protocol: http3}}", SCHEMA),
    (f"{{{T}, limits: {{connections: 0}}}}", SCHEMA),
    (f"{{{T}, limits: {{queuedBytes: 0}}}}", SCHEMA),
    (f"{{{T}, limits: {{queuedBytes: 16MB}}}}", SCHEMA),
    (f"{{{T}, host: {{value: a}}}}", SCHEMA),
    (f"{{{T}, host: {{policy: literal, value: 'a/b'}}}}", SCHEMA),
    (f"{{{T}, tls: {{caFile: relative.pem}}}}", SCHEMA),
    (f"{{{T}, headers: {{set: {{x-a: \"b\\r\\nc: d\"}}}}}}", SCHEMA),
    (f"{{{T}, headers: {{remove: ['x y']}}}}", SCHEMA),
    (f"{{{T}, marker: {{value: x}}}}", SCHEMA),
    (f"{{{T}, redact: {{query: [{{name: 'a&b'}}]}}}}", SCHEMA),
    (f"{{{T}, redact: {{query: [{{name: a}}, {{name: a}}]}}}}", SCHEMA),
    (f"{{{T}, mirrors: [{', '.join(['{name: a}'] * 17)}]}}", SCHEMA),
    (f"{{{T}, mirrors: [{{name: a, mirrors: []}}]}}", SCHEMA),
    (f"{{{T}, mirrors: [{{percent: 10}}]}}", CEL),
    (f"{{{T}, sampling: {{by: header}}}}", CEL),
    (f"{{{T}, sampling: {{header: x}}}}", CEL),
    (f"{{{T}, host: {{policy: literal}}}}", CEL),
    (f"{{{T}, host: {{policy: shadow, value: a}}}}", CEL),
    (f"{{{T}, timeouts: {{idle: 25h}}}}", CEL),
    (f"{{{T}, headers: {{set: {{Host: a}}}}}}", CEL),
    (f"{{{T}, headers: {{remove: [Content-Length]}}}}", CEL),
    (f"{{{T}, headers: {{set: {{x-a: b}}, remove: [x-a]}}}}", CEL),
    (f"{{{T}, redact: {{headers: [{{name: x, action: replace}}]}}}}", CEL),
    (f"{{{T}, redact: {{headers: [{{name: x, replacement: y}}]}}}}", CEL),
    (f"{{{T}, protocol: raw, marker: {{header: x}}}}", CEL),
    (f"{{{T}, protocol: raw, mirrors: [{{name: a, clientAddress: forwardedFor}}]}}", CEL),
    (f"{{{T}, clientAddress: proxyV2, order: request}}", CEL),
    (f"{{{T}, clientAddress: proxyV2, mirrors: [{{name: a, order: request}}]}}", CEL),
    (f"{{{T}, redact: {{headers: [{{name: X-A}}, {{name: x-a}}]}}}}", AGENT),
]


def rule_text(spec):
    return f"apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {{name: rule}}\nspec: {spec}\n"


def policy_text(spec):
    return f"apiVersion: umbra.dev/v1alpha1\nkind: MirrorPolicy\nmetadata: {{name: policy}}\nspec: {spec}\n"


def rows():
    """(text, kind, verdict) of every row."""
    return [(rule_text(spec), "RouteRule", verdict) for spec, verdict in RULES] + \
        [(policy_text(spec), "MirrorPolicy", verdict) for spec, verdict in POLICIES]
