"""The cluster of a case file, made when the first case needs it, and a fresh namespace with an account per case."""
import atexit
import contextlib
import signal

import objects
from cluster import Cluster
from controller import Controller
from lab import raise_exit, sweep_stale  # noqa: F401  (sweep_stale: for files that also use a Lab)
from picture import Expected, wait_equal

STATE = {}


def the_cluster():
    """Skip when there is none to be had; otherwise one for the whole file."""
    if "cluster" not in STATE:
        cluster = Cluster()
        for sig in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(sig, raise_exit)
        STATE["cluster"] = cluster.__enter__()
        atexit.register(cluster.close)
    return STATE["cluster"]


class Stage:
    """What one case has of the cluster: a namespace `home` for leases and account, a node's name, namespaces for
    objects. On leaving, the objects are removed again."""

    def __init__(self, crds=None, own=False):
        """crds: resources whose CRDs are made if absent; None: all."""
        self.cluster = the_cluster()
        if own:
            self.cluster.need_own()
        self.api = self.cluster.api
        self.cluster.install_crds(*crds) if crds is not None and crds else None
        if crds is None:
            self.cluster.install_crds()
        self.home = self.cluster.namespace("home")
        self.node = self.home.replace("-home", "-node")
        self.account = self.cluster.account(self.home)
        self.spaces = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for ns in self.spaces:
            objects.delete_all(self.api, ns)
        for lease in self.api.list("leases", self.home):
            self.api.delete("leases", self.home, lease["metadata"]["name"])

    def space(self, word="app"):
        ns = self.cluster.namespace(word)
        self.spaces.append(ns)
        return ns

    def kubeconfig(self):
        return self.cluster.kubeconfig(self.home, self.account.user())

    def controller(self, kubeconfig=None, node=None, **options):
        return Controller(kubeconfig or self.kubeconfig(), node or self.node, self.home, **options)

    def expected(self, namespaces=(), pod_namespaces=(), **options):
        return Expected(self.api, options.pop("node", self.node), namespaces, pod_namespaces, **options)

    # --- contents ------------------------------------------------------------------------------------------------

    def fill(self, ns, pods=4, elsewhere=2, service="httpbin"):
        """A service with pods v1 on this node and v2 on another, and what belongs to it."""
        api = self.api
        endpoints = []
        for number in range(pods + elsewhere):
            here = number < pods
            version, node = ("v1", self.node) if here else ("v2", self.node + "-b")
            name, address = f"{service}-{version}-{number}", f"10.7.{number // 250}.{number % 250 + 1}"
            objects.create_pod(api, ns, name, node, [address], {"app": service, "version": version})
            endpoints.append(objects.Endpoint([address], name, node))
        objects.put(api, "services", ns, objects.service(service))
        objects.put(api, "endpointslices", ns, objects.endpoint_slice(api, f"{service}-1", service, endpoints, ns=ns))
        return endpoints

    def touch(self, ns, mark):
        """A change of each kind in a namespace that fill() has filled: changed, added, deleted."""
        api = self.api
        api.patch("pods", ns, "httpbin-v1-0", {"metadata": {"labels": {"mark": mark}}})
        objects.create_pod(api, ns, f"late-{mark}", self.node, ["10.7.9.9"], {"app": "late"})
        objects.put(api, "services", ns, objects.service("httpbin", ports=((80, 8080), (81, hash(mark) % 1000 + 9000))))
        objects.put(api, "services", ns, objects.service(f"late-{mark}"))
        objects.put(api, "endpointslices", ns, objects.endpoint_slice(
            api, "httpbin-1", "httpbin", [objects.Endpoint([f"10.7.8.{len(mark)}"], ready=False)]))
        if api.find("services", ns, "gone"):
            api.delete("services", ns, "gone")
        else:
            objects.put(api, "services", ns, objects.service("gone"))


@contextlib.contextmanager
def watched(stage, kubeconfig=None, spaces=1, **options):
    """A filled namespace and a controller whose picture is complete: (controller, expected, [namespaces])."""
    names = [stage.space(f"app{number}") for number in range(spaces)]
    for ns in names:
        stage.fill(ns)
    with stage.controller(kubeconfig, **options) as controller:
        controller.peer.demand(names, names)
        controller.peer.wait_synced(30)
        expected = stage.expected(names, names)
        wait_equal(expected, controller.peer)
        yield controller, expected, names
        controller.check_alive()
        controller.peer.check_faults()
