// Who serves what: Services, Pods, EndpointSlices, ServiceEntries and the objects of other kinds between them.
#include "rules/registry.h"

#include <gtest/gtest.h>

#include "documents.h"

namespace umbra::rules {
namespace {

// "ADDRESS:PORT" of each instance at a port of a host, "!" behind those that get no new connections.
std::vector<std::string> instances(const std::string& text, const std::string& host, std::uint16_t port,
                                   const Labels& labels = {}) {
    const auto outcome = load_text(text);
    EXPECT_TRUE(outcome.ok) << print_diagnostics(outcome.diagnostics);
    Registry registry(outcome.set, "cluster.local");
    std::vector<std::string> found;
    const auto* entry = registry.find(host);
    if (!entry) return {"no host"};
    for (const auto& instance : entry->instances) {
        const auto own = instance.ports.find(port);
        if (own == instance.ports.end() || !labels_match(labels, *instance.labels)) continue;
        found.push_back(Endpoint{instance.address, own->second}.to_string() + (instance.accepts ? "" : "!"));
    }
    return found;
}

using Found = std::vector<std::string>;
const std::string kHost = "web.default.svc.cluster.local";

std::string pod_with(const std::string& name, const std::string& metadata, const std::string& spec,
                     const std::string& status) {
    return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", labels: {app: web}" + metadata +
           "}\nspec: {" + spec + "}\nstatus: {" + status + "}\n";
}

TEST(Registry, TranslatesTargetPorts) {
    const auto pods =
        pod_with("a", "", "containers: [{name: c, ports: [{name: http, containerPort: 8000}]}]", "podIP: 10.0.0.1") +
        pod_with("b", "",
                 "containers: [{name: c, ports: [{name: http, containerPort: 9000}, {name: u, containerPort: 53, "
                 "protocol: UDP}]}]",
                 "podIP: 10.0.0.2") +
        pod_with("c", "",
                 "initContainers: [{name: s, restartPolicy: Always, ports: [{name: http, containerPort: 7000}]}, "
                 "{name: i, ports: [{name: u, containerPort: 1}]}]",
                 "podIP: 10.0.0.3");
    const auto text =
        service("web", "app: web",
                "{name: a, port: 80, targetPort: http}, {name: b, port: 81, targetPort: 8081}, {name: c, port: 82}, "
                "{name: d, port: 83, targetPort: u}, {name: e, port: 84, protocol: UDP}") +
        pods;
    EXPECT_EQ(instances(text, kHost, 80), (Found{"10.0.0.1:8000", "10.0.0.2:9000", "10.0.0.3:7000"}));
    EXPECT_EQ(instances(text, kHost, 81), (Found{"10.0.0.1:8081", "10.0.0.2:8081", "10.0.0.3:8081"}));
    EXPECT_EQ(instances(text, kHost, 82), (Found{"10.0.0.1:82", "10.0.0.2:82", "10.0.0.3:82"}));
    EXPECT_EQ(instances(text, kHost, 83), Found{});
    EXPECT_EQ(instances(text, kHost, 84), Found{});
}

TEST(Registry, TellsLiveFromReadyPods) {
    const auto ready =
        "phase: Running, conditions: [{type: Initialized, status: 'False'}, {type: Ready, status: 'True'}]";
    const auto text =
        service("web", "app: web", "{port: 80}") + pod_with("ready", "", "", "podIP: 10.0.0.1, " + std::string(ready)) +
        pod_with("unready", "", "", "podIP: 10.0.0.2, phase: Running, conditions: [{type: Ready, status: 'False'}]") +
        pod_with("leaving", ", deletionTimestamp: '2024-01-01T00:00:00Z'", "",
                 "podIP: 10.0.0.3, " + std::string(ready)) +
        pod_with("done", "", "", "podIP: 10.0.0.4, phase: Succeeded") +
        pod_with("failed", "", "", "podIP: 10.0.0.5, phase: Failed") + pod_with("pending", "", "", "phase: Pending") +
        pod_with("plain", "", "", "podIP: 10.0.0.6");
    EXPECT_EQ(instances(text, kHost, 80), (Found{"10.0.0.1:80", "10.0.0.2:80!", "10.0.0.3:80!", "10.0.0.6:80"}));
    auto early = text;
    early.replace(early.find("  selector:"), 0, "  publishNotReadyAddresses: true\n");
    EXPECT_EQ(instances(early, kHost, 80), (Found{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80!", "10.0.0.6:80"}));
}

TEST(Registry, KnowsBothAddressFamilies) {
    const auto dual = pod_with("a", "", "", "podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]");
    EXPECT_EQ(instances(service("web", "app: web", "{port: 80}") + dual, kHost, 80),
              (Found{"10.0.0.1:80", "[fd00::1]:80"}));
    auto single = service("web", "app: web", "{port: 80}");
    single += "  ipFamilies: [IPv6]\n";
    EXPECT_EQ(instances(single + dual, kHost, 80), (Found{"[fd00::1]:80"}));
}

TEST(Registry, HeadlessServicesHaveTheirPods) {
    const auto headless =
        service("web", "app: web", "{port: 80, targetPort: 8080}") + "  clusterIP: None\n  clusterIPs: [None]\n";
    EXPECT_EQ(instances(headless + pod("a", "app: web", "10.0.0.1"), kHost, 80), Found{"10.0.0.1:8080"});
}

TEST(Registry, SelectorsStayInTheirNamespace) {
    auto other = pod("b", "app: web", "10.0.0.2");
    other.replace(other.find("name: b"), 7, "name: b\n  namespace: shop");
    EXPECT_EQ(instances(service("web", "app: web", "{port: 80}") + pod("a", "app: web", "10.0.0.1") + other, kHost, 80),
              Found{"10.0.0.1:80"});
}

const std::string kSlice = R"(---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints:
- addresses: [10.0.0.7]
  conditions: {ready: true, serving: true, terminating: false}
  targetRef: {kind: Pod, name: a}
- addresses: [10.0.0.8]
  conditions: {ready: false, serving: true, terminating: true}
- addresses: [10.0.0.9]
ports: [{name: http, port: 8000, protocol: TCP}]
)";

TEST(Registry, PrefersEndpointSlices) {
    const auto text = service("web", "app: web", "{name: http, port: 80}") + pod("a", "app: web", "10.0.0.1") + kSlice;
    EXPECT_EQ(instances(text, kHost, 80), (Found{"10.0.0.7:8000", "10.0.0.8:8000!", "10.0.0.9:8000"}));
    EXPECT_EQ(instances(text, kHost, 80, {{"app", "web"}}), Found{"10.0.0.7:8000"});
}

TEST(Registry, SelectorlessServicesNeedEndpointSlices) {
    const std::string manual =
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{name: http, port: 80}]}\n";
    EXPECT_EQ(instances(manual + pod("a", "app: web", "10.0.0.1"), kHost, 80), Found{});
    EXPECT_EQ(instances(manual + kSlice, kHost, 80).size(), 3u);
}

TEST(Registry, TakesListsAndNullsAsPrinted) {
    const std::string list = R"({"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":""},"items":[
      {"apiVersion":"v1","kind":"Service","metadata":{"name":"web","creationTimestamp":null},
       "spec":{"selector":{"app":"web"},"ports":[{"port":80,"targetPort":8080,"nodePort":30080}],"unknown":{"x":[1]}},
       "status":{"loadBalancer":{}}},
      {"apiVersion":"discovery.k8s.io/v1beta1","kind":"EndpointSlice",
       "metadata":{"name":"x","labels":{"kubernetes.io/service-name":"other"}},"addressType":"IPv4","endpoints":null,"ports":null}
    ]}
---
apiVersion: v1
kind: PodList
items:
- metadata: {name: a, labels: {app: web}}
  status: {podIP: 10.0.0.1}
)";
    EXPECT_EQ(instances(list, kHost, 80), Found{"10.0.0.1:8080"});
}

TEST(Registry, ChecksWhatItReads) {
    const std::pair<std::string, const char*> rows[] = {
        {service("web", "app: web", "{port: 70000}"), "spec.ports[0].port: 70000 is not in range"},
        {service("web", "app: web", "{name: x}"), "spec.ports[0].port: is required"},
        {service("web", "app: 1", "{port: 80}"), "spec.selector.app: must be a string"},
        {pod("a", "app: web", "10.0.0.256"), "status.podIP: '10.0.0.256' is not an IP address"},
        {pod("a", "app: yes", "10.0.0.1"), "metadata.labels.app: must be a string, this is a boolean"},
        {"apiVersion: v1\nkind: Pod\n", "metadata: is required"},
        {"apiVersion: v1\nkind: List\nitems: [{kind: Pod}]\n", "items[0]: an item of a List needs apiVersion and kind"},
        {"apiVersion: v1\nkind: List\nitems: {}\n", "items: must be a list"}};
    for (const auto& [text, message] : rows) {
        const auto outcome = load_text(text);
        EXPECT_FALSE(outcome.ok) << text;
        EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::error, message))
            << text << print_diagnostics(outcome.diagnostics);
    }
}

std::string entry(const std::string& spec, const std::string& version = "v1beta1") {
    return "---\napiVersion: networking.istio.io/" + version +
           "\nkind: ServiceEntry\nmetadata: {name: e}\nspec:\n  hosts: [web.example.com]\n" + spec;
}

const std::string kPort = "  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]\n";

TEST(ServiceEntry, DescribesPlainHosts) {
    for (const auto* version : {"v1alpha3", "v1beta1", "v1"}) {
        const auto text = entry(kPort +
                                    "  resolution: STATIC\n  endpoints:\n  - {address: 192.0.2.1, labels: {v: a}}\n"
                                    "  - {address: '2001:db8::1', ports: {http: 9000}}\n",
                                version);
        EXPECT_EQ(instances(text, "web.example.com", 80), (Found{"192.0.2.1:8080", "[2001:db8::1]:9000"}));
        EXPECT_EQ(instances(text, "web.example.com", 80, {{"v", "a"}}), Found{"192.0.2.1:8080"});
    }
}

TEST(ServiceEntry, AddressesServeWithoutEndpoints) {
    const auto text = entry(kPort + "  resolution: NONE\n  addresses: [192.0.2.5, 192.0.2.0/24]\n");
    EXPECT_EQ(instances(text, "web.example.com", 80), Found{"192.0.2.5:8080"});
    EXPECT_TRUE(has_finding(load_text(text).diagnostics, Severity::warning,
                            "spec.addresses[1]: a CIDR block names no endpoints"));
}

TEST(ServiceEntry, AddsUpOverEntriesOfOneHost) {
    auto second = entry(kPort + "  endpoints: [{address: 192.0.2.2}]\n");
    second.replace(second.find("name: e"), 7, "name: f");
    EXPECT_EQ(instances(entry(kPort + "  endpoints: [{address: 192.0.2.1}]\n") + second, "web.example.com", 80),
              (Found{"192.0.2.1:8080", "192.0.2.2:8080"}));
}

TEST(ServiceEntry, IsCheckedStrictly) {
    const std::pair<std::string, const char*> rows[] = {
        {entry(kPort + "  endpoint: []\n"), "spec.endpoint: unknown field"},
        {entry(kPort + "  endpoints: [{adress: 192.0.2.1}]\n"), "hint: did you mean 'address'?"},
        {entry(kPort + "  endpoints: [{address: 192.0.2.1, ports: {htp: 1}}]\n"),
         "spec.endpoints[0].ports.htp: the entry has no port of this name"},
        {entry(kPort + "  endpoints: [{address: 192.0.2.1, ports: {http: 0}}]\n"),
         "spec.endpoints[0].ports.http: 0 is not in range"},
        {entry(kPort + "  resolution: STATC\n"), "hint: did you mean 'STATIC'?"},
        {entry(""), "spec.ports: a service entry must have a port"},
        {entry("  ports: [{number: 80, name: a}, {number: 80, name: a}]\n"),
         "spec.ports[1].number: port 80 is given twice"},
        {entry("  ports: [{number: 80}]\n"), "spec.ports[0].name: is required"},
        {entry("  ports: [{number: 80, name: a, protocol: HTPP}]\n"), "hint: did you mean 'HTTP'?"},
        {"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e}\nspec: {hosts: [a_b], ports: "
         "[{number: 1, name: x}]}\n",
         "spec.hosts[0]: 'a_b' is no host name"},
        {"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e}\nspec: {hosts: []}\n",
         "must have a host"}};
    for (const auto& [text, message] : rows) {
        const auto outcome = load_text(text);
        EXPECT_FALSE(outcome.ok) << text;
        EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::error, message))
            << text << print_diagnostics(outcome.diagnostics);
    }
}

TEST(ServiceEntry, SaysWhatItLeavesOut) {
    const std::pair<std::string, const char*> rows[] = {
        {kPort + "  resolution: DNS\n", "spec.resolution: DNS is not supported"},
        {kPort + "  endpoints: [{address: a.example.com}]\n",
         "'a.example.com' is not an IP address; the endpoint is left out"},
        {kPort + "  workloadSelector: {labels: {a: b}}\n", "spec.workloadSelector: is not supported"}};
    for (const auto& [spec, message] : rows) {
        const auto outcome = load_text(entry(spec));
        EXPECT_TRUE(outcome.ok);
        EXPECT_TRUE(has_finding(outcome.diagnostics, Severity::warning, message))
            << print_diagnostics(outcome.diagnostics);
    }
}

TEST(Labels, MatchBySubset) {
    EXPECT_TRUE(labels_match({}, {{"a", "1"}}));
    EXPECT_TRUE(labels_match({{"a", "1"}}, {{"a", "1"}, {"b", "2"}}));
    EXPECT_FALSE(labels_match({{"a", "1"}}, {{"a", "2"}}));
    EXPECT_FALSE(labels_match({{"a", "1"}}, {}));
    EXPECT_TRUE(labels_match({{"a", ""}}, {}));
    EXPECT_FALSE(labels_match({{"a", ""}}, {{"a", "1"}}));
}

}  // namespace
}  // namespace umbra::rules
