"""Kubernetes objects as the cases need them: pods with addresses, services, slices, rules."""
import ipaddress

from api_client import ApiError
from lab import wait_for

MANAGER = "umbra-test"
RULE_NAME = "mirror-traffic-to-httbin-v2"


def pod(name, node, labels=None, port=8080, host_network=False):
    spec = {"nodeName": node, "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 30,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "app", "image": "umbra-test.invalid/none:1",
                            "ports": [{"containerPort": port, "protocol": "TCP"}]}]}
    if host_network:
        spec["hostNetwork"] = True
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}}, "spec": spec}


def pod_status(addresses, ready=True):
    word = "True" if ready else "False"
    return {"status": {"phase": "Running", "podIP": addresses[0], "podIPs": [{"ip": a} for a in addresses],
                       "conditions": [{"type": kind, "status": word} for kind in ("Ready", "ContainersReady")]}}


def create_pod(api, ns, name, node, addresses, labels=None, ready=True, **spec):
    made = api.create("pods", ns, pod(name, node, labels, **spec))
    api.patch("pods", ns, name, pod_status(addresses, ready), sub="status")
    return made


def service(name, ports=((80, 8080),), labels=None):
    """Without a selector: its slices are the test's own, on every cluster."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels or {}},
            "spec": {"ports": [{"name": f"p{port}", "port": port, "targetPort": target, "protocol": "TCP"}
                               for port, target in ports]}}


class Endpoint:
    def __init__(self, addresses, pod_name=None, node=None, ready=True, serving=None, terminating=False):
        self.addresses, self.pod_name, self.node = list(addresses), pod_name, node
        self.ready, self.terminating = ready, terminating
        self.serving = ready if serving is None else serving


def endpoint_slice(api, name, service_name, endpoints, ports=(("p80", 8080),), ns=None):
    """A slice of the version that the API serves. 1.20 knows the node as a topology key."""
    version = api.slice_version()
    family = "IPv6" if endpoints and ipaddress.ip_address(endpoints[0].addresses[0]).version == 6 else "IPv4"
    items = []
    for endpoint in endpoints:
        conditions = {"ready": endpoint.ready}
        if version == "discovery.k8s.io/v1":
            conditions |= {"serving": endpoint.serving, "terminating": endpoint.terminating}
        item = {"addresses": endpoint.addresses, "conditions": conditions}
        if endpoint.pod_name:
            item["targetRef"] = {"kind": "Pod", "name": endpoint.pod_name, "namespace": ns}
        if endpoint.node:
            item |= {"nodeName": endpoint.node} if version == "discovery.k8s.io/v1" else \
                {"topology": {"kubernetes.io/hostname": endpoint.node}}
        items.append(item)
    return {"apiVersion": version, "kind": "EndpointSlice", "addressType": family, "endpoints": items,
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service_name,
                                                  "endpointslice.kubernetes.io/managed-by": MANAGER}},
            "ports": [{"name": port_name, "port": port, "protocol": "TCP"} for port_name, port in ports]}


def put(api, resource, ns, body):
    """Creates the object or replaces what is there."""
    name = body["metadata"]["name"]
    try:
        return api.create(resource, ns, body)
    except ApiError as error:
        if error.status != 409:
            raise
    present = api.get(resource, ns, name)
    body["metadata"]["resourceVersion"] = present["metadata"]["resourceVersion"]
    if resource == "services":  # its addresses cannot be unset
        body["spec"] |= {k: present["spec"][k] for k in ("clusterIP", "clusterIPs") if k in present["spec"]}
    return api.replace(resource, ns, name, body)


def route_rule(name=RULE_NAME, service_name="httpbin", precedence=11, mirror_version="v2"):
    """The post's rule."""
    return {"apiVersion": "config.istio.io/v1alpha2", "kind": "RouteRule", "metadata": {"name": name},
            "spec": {"destination": {"name": service_name}, "precedence": precedence,
                     "route": [{"labels": {"version": "v1"}, "weight": 100},
                               {"labels": {"version": "v2"}, "weight": 0}],
                     "mirror": {"name": service_name, "labels": {"version": mirror_version}}}}


def mirror_policy(name="httpbin", rule=RULE_NAME, percent=100):
    return {"apiVersion": "umbra.dev/v1alpha1", "kind": "MirrorPolicy", "metadata": {"name": name},
            "spec": {"targetRef": {"kind": "RouteRule", "name": rule}, "percent": percent}}


def service_entry(api, name, host="httpbin.example"):
    return {"apiVersion": api.version_of("serviceentries"), "kind": "ServiceEntry", "metadata": {"name": name},
            "spec": {"hosts": [host], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                     "location": "MESH_INTERNAL", "resolution": "STATIC",
                     "endpoints": [{"address": "10.9.9.9", "labels": {"version": "v1"}}]}}


def delete_all(api, ns, resources=("pods", "endpointslices", "services", "routerules", "mirrorpolicies",
                                   "serviceentries")):
    """Removes what a case made in a namespace: where no controller runs, nobody else does."""
    for resource in resources:
        try:
            items = api.list(resource, ns)
        except ApiError as error:
            if error.status != 404:
                raise
            continue
        for item in items:
            api.delete(resource, ns, item["metadata"]["name"], grace=0 if resource == "pods" else None)
    wait_for(lambda: not api.list("pods", ns), 30, f"the end of the pods of {ns}")
