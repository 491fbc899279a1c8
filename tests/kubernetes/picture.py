"""What the feed must hold, computed from the API itself, and the comparison of the two.

essence(object) is what Umbra reads of an object, in one form for every API version; the feed's objects may be cut down
to no less than that."""
import json

from case import Wrong
from lab import LabError, wait_for

PODS_OF_NODE = "spec.nodeName="


def conditions(endpoint):
    given = endpoint.get("conditions") or {}
    ready = given.get("ready")
    serving, terminating = given.get("serving"), given.get("terminating")
    return ready, serving, terminating


def essence_of_endpoint(endpoint):
    target = endpoint.get("targetRef") or {}
    node = endpoint.get("nodeName") or (endpoint.get("topology") or {}).get("kubernetes.io/hostname")
    return (tuple(endpoint.get("addresses") or ()), conditions(endpoint), target.get("kind"), target.get("name"), node)


def ports_of(obj, *fields):
    return tuple(sorted(tuple(str(port.get(field)) for field in fields) for port in obj.get("ports") or ()))


def essence_of_pod(obj):
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    addresses = tuple(sorted(entry["ip"] for entry in status.get("podIPs") or () if entry.get("ip")))
    ready = [c["status"] for c in status.get("conditions") or () if c["type"] == "Ready"]
    return (spec.get("nodeName"), bool(spec.get("hostNetwork")), addresses, tuple(ready),
            bool(obj["metadata"].get("deletionTimestamp")))


def labels_of(metadata, *names):
    labels = metadata.get("labels") or {}
    return tuple(sorted((k, v) for k, v in labels.items() if not names or k in names))


def essence(obj):
    kind, metadata = obj["kind"], obj["metadata"]
    uid = metadata.get("uid")
    if kind == "Pod":
        return (uid, labels_of(metadata), *essence_of_pod(obj))
    if kind == "Service":
        spec = obj.get("spec") or {}
        return uid, ports_of(spec, "name", "port", "protocol", "targetPort"), spec.get("clusterIP")
    if kind == "EndpointSlice":
        return (uid, labels_of(metadata, "kubernetes.io/service-name"), ports_of(obj, "name", "port", "protocol"),
                tuple(sorted(map(repr, map(essence_of_endpoint, obj.get("endpoints") or ())))))
    return uid, metadata.get("generation"), json.dumps(obj.get("spec"), sort_keys=True)


class Expected:
    """The API's side of the picture for a node and a demand."""

    def __init__(self, api, node, namespaces=(), pod_namespaces=(), everything=False, skip=()):
        self.api, self.node, self.everything, self.skip = api, node, everything, skip
        self.namespaces, self.pod_namespaces = namespaces, pod_namespaces

    def lists(self):
        yield "Pod", self.api.list("pods", fieldSelector=PODS_OF_NODE + self.node)
        for ns in self.pod_namespaces:
            yield "Pod", self.api.list("pods", ns)
        for resource, kind in (("services", "Service"), ("endpointslices", "EndpointSlice")):
            for ns in [None] if self.everything else self.namespaces:
                yield kind, self.api.list(resource, ns)
        for resource, kind in (("routerules", "RouteRule"), ("mirrorpolicies", "MirrorPolicy"),
                               ("serviceentries", "ServiceEntry")):
            if resource not in self.skip:
                yield kind, self.api.list(resource)

    def picture(self):
        found = {}
        for kind, items in self.lists():
            for item in items:
                item["kind"] = kind
                found[(kind, item["metadata"].get("namespace", ""), item["metadata"]["name"])] = essence(item)
        return found


COMPARED = ("Pod", "Service", "EndpointSlice", "RouteRule", "MirrorPolicy", "ServiceEntry")


def differences(expected, shown):
    out = [f"missing: {key}" for key in expected.keys() - shown.keys()]
    out += [f"not in the API: {key}" for key in shown.keys() - expected.keys()]
    out += [f"{key}: {shown[key]}, the API has {expected[key]}" for key in expected.keys() & shown.keys()
            if expected[key] != shown[key]]
    return sorted(out)


def compare(expected, peer):
    """Differences between the API now and the feed's picture."""
    return differences(expected.picture(), {key: essence(obj) for key, obj in peer.snapshot(*COMPARED).items()})


def wait_equal(expected, peer, timeout=20, what="the feed's picture equal to the API's"):
    """Until nothing differs; says what does when time is up."""
    last = []

    def equal():
        last[:] = compare(expected, peer)
        return not last
    try:
        wait_for(equal, timeout, what, step=0.1)
    except LabError as error:
        raise Wrong(f"{error}: {len(last)} differences\n      " + "\n      ".join(last[:8]) +
                    f"\n      health: {peer.health_text()[:1500]}") from None
    peer.check_faults()
