#include "rules/explain.h"

#include <gtest/gtest.h>

#include "documents.h"

namespace umbra::rules {
namespace {

Plan plan() {
    return plan_of(kHttpbin +
                   rule("private", "  precedence: 20\n  match: {request: {headers: {uri: {prefix: /private}}}}\n") +
                   rule("canary", "  precedence: 10\n  match: {source: {service: 10.7.0.0/16}}\n" + kToV2) +
                   rule("all", kToV2) + rule("dead", "  precedence: -1\n" + kToV2));
}

FlowTuple flow(const std::string& client, const std::string& server) {
    return {*Endpoint::parse(client), *Endpoint::parse(server)};
}

TEST(Explain, Flow) {
    EXPECT_EQ(
        explain_flow(plan(), flow("10.0.0.9:40000", "10.0.0.1:80")),
        "flow       10.0.0.9:40000>10.0.0.1:80\n"
        "origin     10.0.0.1:80 of httpbin.default.svc.cluster.local port 8080\n"
        "map entry  10.0.0.1:80 -> default/private, default/canary, default/all\n"
        "  loses    default/private (precedence 20): holds only for HTTP requests with uri prefix '/private'\n"
        "  loses    default/canary (precedence 10): client 10.0.0.9 is not among 10.7.0.0/16\n"
        "  wins     default/all (precedence 0): the first that holds\n"
        "  apart    default/dead (precedence -1): stands behind default/all, which matches everything\n"
        "result     100 % of flows are mirrored to httpbin.default.svc.cluster.local version=v2: one of 10.0.0.2:80\n");
}

TEST(Explain, FlowToOtherEndpoints) {
    EXPECT_EQ(explain_flow(plan(), flow("10.0.0.9:1", "10.0.0.2:80")),
              "flow       10.0.0.9:1>10.0.0.2:80\n"
              "map entry  none for 10.0.0.2:80\n"
              "result     not mirrored: it is an endpoint of the mirror of default/canary\n");
    EXPECT_EQ(explain_flow(plan(), flow("10.0.0.9:1", "10.0.0.1:81")),
              "flow       10.0.0.9:1>10.0.0.1:81\n"
              "map entry  none for 10.0.0.1:81\n"
              "result     not mirrored: no rule with a live mirror selects this endpoint\n");
}

TEST(Explain, RequestOfAFlow) {
    RequestView request;
    request.method = "GET";
    request.target = "/private/x";
    request.authority = "httpbin:8080";
    EXPECT_EQ(explain_request(plan(), flow("10.7.0.1:5", "10.0.0.1:80"), request),
              "request    GET /private/x, authority 'httpbin:8080'\n"
              "flow       10.7.0.1:5>10.0.0.1:80\n"
              "origin     10.0.0.1:80 of httpbin.default.svc.cluster.local port 8080\n"
              "map entry  10.0.0.1:80 -> default/private, default/canary, default/all\n"
              "  wins     default/private (precedence 20): the first that holds; uri prefix '/private'\n"
              "  loses    default/canary (precedence 10): comes after default/private\n"
              "  loses    default/all (precedence 0): comes after default/private\n"
              "  apart    default/dead (precedence -1): stands behind default/all, which matches everything\n"
              "result     not mirrored: default/private has no mirror and ends the search\n");
}

TEST(Explain, RequestAlone) {
    RequestView request;
    request.method = "GET";
    request.target = "/";
    request.authority = "httpbin:8080";
    const auto text = explain_request(plan(), std::nullopt, request);
    EXPECT_NE(text.find("loses    default/private (precedence 20): the request does not fulfil uri prefix '/private'"),
              std::string::npos)
        << text;
    EXPECT_NE(
        text.find(
            "loses    default/canary (precedence 10): holds only for the clients 10.7.0.0/16; no client is given"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find("wins     default/all"), std::string::npos) << text;
    EXPECT_EQ(explain_request({}, std::nullopt, request),
              "request    GET /, authority 'httpbin:8080'\nresult     not mirrored: no rule with a live mirror selects "
              "any endpoint\n");
}

TEST(Explain, RequestAloneNamesTheServiceByItsAuthority) {
    const auto two = plan_of(kHttpbin + rule("r", kToV2) + service("web", "app: web", "{port: 80}") +
                             pod("w1", "app: web, v: a", "10.0.5.1") + pod("w3", "app: web, v: a", "10.0.5.3") +
                             pod("w2", "app: web, v: b", "10.0.5.2") +
                             "---\napiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: web}\n"
                             "spec: {destination: {name: web}, mirror: {name: web, labels: {v: b}}}\n");
    RequestView request;
    request.method = "GET";
    request.target = "/";
    for (const std::string_view authority : {"web", "web:80", "web.default", "web.default.svc.cluster.local:80"}) {
        request.authority = authority;
        const auto text = explain_request(two, std::nullopt, request);
        EXPECT_NE(text.find("origin     10.0.5.1:80, 10.0.5.3:80 of web.default"), std::string::npos) << text;
        EXPECT_EQ(text.find("httpbin"), std::string::npos) << text;
    }
    request.authority = "elsewhere";
    const auto text = explain_request(two, std::nullopt, request);
    EXPECT_NE(text.find("wins     default/web"), std::string::npos);
    EXPECT_NE(text.find("wins     default/r"), std::string::npos);
}

TEST(Explain, EndpointThatTheWinnerDoesNotSelect) {
    const auto apart = plan_of(
        kHttpbin + pod("v3", "app: httpbin, version: v3", "10.0.0.3") + rule("all", kToV2) +
        rule("x",
             "  precedence: 1\n  route: [{labels: {version: v1}}]\n  match: {request: {headers: {x: a}}}\n" + kToV2));
    RequestView request;
    request.target = "/";
    request.headers = {{"x", "a"}};
    const auto text = explain_request(apart, flow("10.0.0.9:1", "10.0.0.3:80"), request);
    EXPECT_NE(text.find("wins     default/x#unselected"), std::string::npos) << text;
    EXPECT_NE(text.find("result     not mirrored: the route of default/x does not select these endpoints"),
              std::string::npos)
        << text;
}

}  // namespace
}  // namespace umbra::rules
