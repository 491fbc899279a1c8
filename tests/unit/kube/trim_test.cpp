#include "kube/trim.h"

#include <gtest/gtest.h>

#include "kube/json_text.h"
#include "kube/watch_set.h"

namespace umbra::kube {
namespace {

Json trimmed(const Resource& resource, const std::string& text, std::size_t version = 0) {
    const auto json = parse_json(text);
    EXPECT_TRUE(json) << text;
    return trim(resource, version, json.value_or(Json())).value_or(Json());
}

TEST(Trim, APodKeepsWhatIsReadAndNothingElse) {
    const Json pod = trimmed(kPods, R"({
        "metadata": {"name": "p", "namespace": "web", "uid": "u", "generation": 2, "resourceVersion": "9",
                     "labels": {"app": "x"}, "annotations": {"a": "b"}, "managedFields": [{}], "ownerReferences": [{}],
                     "deletionTimestamp": "2026-01-01T00:00:00Z", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"nodeName": "n", "hostNetwork": true, "serviceAccountName": "s", "volumes": [{}],
                 "containers": [{"name": "c", "image": "i", "env": [{}],
                                 "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP", "hostPort": 1}]},
                                {"name": "without"}],
                 "initContainers": [{"name": "side", "restartPolicy": "Always", "ports": [{"containerPort": 81}]}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "hostIP": "1.1.1.1",
                   "containerStatuses": [{}],
                   "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "x"},
                                  {"type": "Initialized", "status": "True"}]}})");
    EXPECT_EQ(pod, Json::parse(R"({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "web", "uid": "u", "generation": 2,
                     "deletionTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": "x"}},
        "spec": {"nodeName": "n", "hostNetwork": true,
                 "containers": [{"ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}]}],
                 "initContainers": [{"restartPolicy": "Always", "ports": [{"containerPort": 81}]}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1",
                   "conditions": [{"type": "Ready", "status": "True"}], "podIPs": [{"ip": "10.0.0.1"}]}})"));
}

TEST(Trim, WhatAHeartbeatChangesIsNoDifference) {
    const std::string before = R"({"metadata":{"name":"p","resourceVersion":"1"},"status":{"phase":"Running",
        "conditions":[{"type":"Ready","status":"True","lastProbeTime":"1"}]}})";
    const std::string after = R"({"metadata":{"name":"p","resourceVersion":"2"},"status":{"phase":"Running",
        "conditions":[{"type":"Ready","status":"True","lastProbeTime":"2"}]}})";
    EXPECT_EQ(trimmed(kPods, before).dump(), trimmed(kPods, after).dump());
}

TEST(Trim, AServiceKeepsItsSpecsRelevantPart) {
    const Json service = trimmed(kServices, R"({
        "metadata": {"name": "s", "namespace": "web", "labels": {"a": "b"}},
        "spec": {"type": "ClusterIP", "selector": {"app": "x"}, "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"],
                 "ipFamilies": ["IPv4"], "publishNotReadyAddresses": true, "sessionAffinity": "None",
                 "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "nodePort": 30000}]},
        "status": {"loadBalancer": {}}})");
    EXPECT_EQ(service, Json::parse(R"({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "web"},
        "spec": {"type": "ClusterIP", "selector": {"app": "x"}, "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"],
                 "ipFamilies": ["IPv4"], "publishNotReadyAddresses": true,
                 "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]}})"));
}

TEST(Trim, ASliceOfTheOldVersionNamesItsNodeInTheTopology) {
    const Json slice = trimmed(kEndpointSlices, R"({
        "metadata": {"name": "s-1", "namespace": "web",
                     "labels": {"kubernetes.io/service-name": "s", "other": "x"}, "uid": "u"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true, "serving": null},
                       "topology": {"kubernetes.io/hostname": "n", "zone": "z"}, "hints": {},
                       "targetRef": {"kind": "Pod", "name": "p", "namespace": "web", "uid": "u", "resourceVersion": "1"}}],
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "appProtocol": "h"}]})",
                               1);
    EXPECT_EQ(slice, Json::parse(R"({
        "apiVersion": "discovery.k8s.io/v1beta1", "kind": "EndpointSlice",
        "metadata": {"name": "s-1", "namespace": "web", "uid": "u", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "nodeName": "n", "conditions": {"ready": true},
                       "targetRef": {"kind": "Pod", "namespace": "web", "name": "p", "uid": "u"}}],
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]})"));
}

TEST(Trim, NullListsAreEmpty) {
    const Json slice = trimmed(kEndpointSlices, R"({"metadata":{"name":"s"},"endpoints":null,"ports":null})");
    EXPECT_EQ(slice["endpoints"], Json::array());
    EXPECT_EQ(slice["ports"], Json::array());
    EXPECT_EQ(slice["addressType"], "IPv4");
}

TEST(Trim, RulesKeepTheirSpecWholeAndLoseTheirStatus) {
    for (const Resource* resource : {&kRouteRules, &kMirrorPolicies, &kServiceEntries}) {
        const Json rule = trimmed(*resource, R"({"metadata":{"name":"r","namespace":"web","generation":4,
            "annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}"}},
            "spec":{"any":{"thing":[1,2]}},"status":{"conditions":[]}})");
        EXPECT_EQ(rule["spec"], Json::parse(R"({"any":{"thing":[1,2]}})"));
        EXPECT_EQ(rule["metadata"], Json::parse(R"({"name":"r","namespace":"web","generation":4})"));
        EXPECT_EQ(rule["kind"], resource->kind);
        EXPECT_FALSE(rule.contains("status"));
    }
    EXPECT_FALSE(trimmed(kRouteRules, R"({"metadata":{"name":"r"}})").contains("spec"));
}

TEST(Trim, ANamespaceIsItsName) {
    EXPECT_EQ(trimmed(kNamespaces, R"({"metadata":{"name":"web","labels":{"a":"b"}},"spec":{"finalizers":[]}})"),
              Json::parse(R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"web"}})"));
}

TEST(Trim, WhatHasNoNameIsNothing) {
    EXPECT_FALSE(trim(kPods, 0, Json::object()));
    EXPECT_FALSE(trim(kPods, 0, Json::array()));
    EXPECT_FALSE(trim(kPods, 0, Json()));
    EXPECT_FALSE(trim(kPods, 0, Json{{"metadata", "text"}}));
}

TEST(Trim, WrongTypesInsideAreTakenAsAbsent) {
    const Json pod = trimmed(kPods, R"({"metadata":{"name":"p"},"spec":"x","status":[1],"other":1})");
    EXPECT_EQ(pod["spec"], Json::object());
    EXPECT_EQ(pod["status"], Json::object());
}

// Limits: api_depth.
TEST(JsonText, DepthIsBoundedAndManagedFieldsAreNotBuilt) {
    const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_TRUE(parse_json(nested(64)));
    EXPECT_FALSE(parse_json(nested(65)));
    EXPECT_FALSE(parse_json(nested(1'000'000)));
    EXPECT_FALSE(parse_json("{"));
    const auto object = parse_json(R"({"metadata":{"managedFields":[{"f:x":{}}],"name":"a"}})");
    ASSERT_TRUE(object);
    EXPECT_EQ(object->dump(), R"({"metadata":{"name":"a"}})");
}

TEST(JsonText, MessagesAreCutAndMadeOneLine) {
    EXPECT_EQ(status_message(R"({"message":"a\nb"})"), "a b");
    EXPECT_EQ(status_message("<html>"), "the answer has no message");
    EXPECT_EQ(status_message(R"({"message":")" + std::string(600, 'x') + "\"}").size(), 515u);
}

TEST(Scopes, FollowTheDemand) {
    Demand demand;
    demand.namespaces = {"web"};
    demand.pod_namespaces = {"db"};
    const auto scopes = scopes_for(demand, "n");
    EXPECT_TRUE(scopes.contains({&kPods, {}, "spec.nodeName=n", {}}));
    EXPECT_TRUE(scopes.contains({&kPods, "db", {}, {}}));
    EXPECT_TRUE(scopes.contains({&kServices, "web", {}, {}}));
    EXPECT_TRUE(scopes.contains({&kEndpointSlices, "web", {}, {}}));
    EXPECT_EQ(scopes.size(), 8u);
    EXPECT_EQ(scopes_for({}, "n").size(), 5u);
}

// Limits: namespace_watches.
TEST(Scopes, EverythingAndVeryManyNamespacesAreWatchedTogether) {
    Demand demand;
    demand.everything = true;
    EXPECT_TRUE(scopes_for(demand, "n").contains({&kServices, {}, {}, {}}));
    Demand many;
    for (int i = 0; i < 65; ++i) {
        many.namespaces.insert(std::to_string(i));
        many.pod_namespaces.insert(std::to_string(i));
    }
    const auto scopes = scopes_for(many, "n");
    EXPECT_TRUE(scopes.contains({&kServices, {}, {}, {}}));
    EXPECT_TRUE(scopes.contains({&kPods, {}, {}, {}}));
    EXPECT_EQ(scopes.size(), 8u);
}

}  // namespace
}  // namespace umbra::kube
