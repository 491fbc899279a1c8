"""An agent on Kubernetes in a lab: loader and controller in the node's namespace as in the DaemonSet's pod, an API server
outside of it that the node reaches through a FaultProxy, pods that are the lab's peers, and Kubernetes objects that say so."""
import base64
import json
import pathlib

import yaml

import objects
import rules
from agent import Agent, binary
from case import check
from fault_proxy import FaultProxy
from lab import Lab, LabError, run, wait_for
from peers import Recorder
from stage import Stage

PORT = 8080
SERVICE = "httpbin"


def stop_quietly(agent):
    if agent.child and agent.child.poll() is None:
        agent.stop()


class AgentScene:
    """lab, stage, agent, proxy; `pods` says which peers are pods, with their version. own_controller: the loader starts
    it."""

    def __init__(self, pods=(("v1", "v1"), ("v2", "v2")), mirrors=1, args=(), own_controller=False):
        self.wanted, self.mirrors, self.args, self.own_controller = pods, mirrors, args, own_controller
        self.endpoints = {}
        self.recorders = {}

    def __enter__(self):
        self.stage = Stage()
        self.api = self.stage.api
        self.lab = Lab(mirrors=self.mirrors).__enter__()
        try:
            self._open()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _open(self):
        self.ns = self.stage.space("web")
        self.proxy = FaultProxy(self.api.host, self.api.port, netns=self.lab.ns("node"))
        self.config = self.stage.cluster.through(self.proxy, self.stage.home, self.stage.account.user())
        objects.put(self.api, "services", self.ns, objects.service(SERVICE, ((PORT, PORT),)))
        for role, version in self.wanted:
            self.add_pod(role, version)
        if self.own_controller:
            return self._start_whole()
        self.feed = self.lab.dir / "controller.sock"
        self.agent = Agent(self.lab, args=["--controller-socket", self.feed, "--node", self.stage.node, *self.args])
        self.agent.start(30)
        self.controller = self.lab.spawn("node", [
            binary(), "controller", "--socket", self.feed, "--kubeconfig", self.config, "--node", self.stage.node,
            "--namespace", self.stage.home], "controller")

    def _start_whole(self):
        config = self.lab.dir / "kubeconfig"
        content = yaml.safe_load(pathlib.Path(self.config).read_text())
        for cluster in content["clusters"]:
            authority = pathlib.Path(cluster["cluster"].pop("certificate-authority"))
            cluster["cluster"]["certificate-authority-data"] = base64.b64encode(authority.read_bytes()).decode()
        config.write_text(yaml.safe_dump(content))
        config.chmod(0o644)  # the controller is another user's
        self.agent = Agent(self.lab, args=["--kubernetes", "--kubeconfig", config, "--node", self.stage.node,
                                           *self.args])
        self.agent.start(30)

    def __exit__(self, kind, *_):
        agent = getattr(self, "agent", None)
        if agent:
            if kind is not None and agent.child:
                print(f"    --- the agent's log ---\n{agent.log()[-6000:]}")
                if not self.own_controller:
                    print(f"    --- the controller's log ---\n{self.lab.log('controller')[-3000:]}")
            stop_quietly(agent)
        if getattr(self, "proxy", None):
            self.proxy.close()
        self.lab.__exit__(None, None, None)
        self.stage.__exit__(None, None, None)

    # --- pods ----------------------------------------------------------------------------------------------------

    def recorder(self, role):
        if role not in self.recorders:
            self.recorders[role] = Recorder(self.lab, role)
        return self.recorders[role]

    def add_pod(self, role, version, ready=True, recorder=True):
        """The pod of a peer, with its program, and its endpoint."""
        if recorder:
            self.recorder(role)
        addresses = [self.lab.addr(role)]
        objects.create_pod(self.api, self.ns, role, self.stage.node, addresses, {"app": SERVICE, "version": version},
                           ready=ready)
        self.endpoints[role] = objects.Endpoint(addresses, role, self.stage.node, ready)
        self.write_slice()

    def set_ready(self, role, ready=True):
        self.api.patch("pods", self.ns, role, objects.pod_status([self.lab.addr(role)], ready), sub="status")
        self.endpoints[role].ready = self.endpoints[role].serving = ready
        self.write_slice()

    def terminate(self, role):
        """As a pod that was deleted and still serves."""
        self.api.delete("pods", self.ns, role, grace=60)
        endpoint = self.endpoints[role]
        endpoint.ready, endpoint.serving, endpoint.terminating = False, True, True
        self.write_slice()

    def remove_pod(self, role):
        self.api.delete("pods", self.ns, role, grace=0)
        self.endpoints.pop(role)
        self.write_slice()

    def write_slice(self):
        body = objects.endpoint_slice(self.api, f"{SERVICE}-1", SERVICE, list(self.endpoints.values()),
                                      ports=((f"p{PORT}", PORT),), ns=self.ns)
        objects.put(self.api, "endpointslices", self.ns, body)

    # --- rules ---------------------------------------------------------------------------------------------------

    def apply_rule(self):
        """The post's rule, by kubectl."""
        self.stage.cluster.kubectl("apply", "-n", self.ns, "-f", rules.POST_RULE_FILE)

    def delete_rule(self):
        self.stage.cluster.kubectl("delete", "-n", self.ns, "-f", rules.POST_RULE_FILE)

    @property
    def rule(self):
        return f"{self.ns}/{rules.POST_RULE_NAME}"

    def row(self):
        """The rule's row of `umbra status`; None while there is none."""
        rows = [r for r in self.agent.json("status", wanted=None)["rules"] if r["rule"] == self.rule]
        return rows[0] if rows else None

    def wait_row(self, origins=None, mirrors=None, timeout=15):
        """Until the plan in force has that many endpoints."""
        def there():
            row = self.row()
            return row and origins in (None, row["origins"]) and mirrors in (None, row["mirror_endpoints"]) and row
        try:
            return wait_for(there, timeout, f"{origins} origins and {mirrors} mirrors of {self.rule}", step=0.02)
        except LabError as error:
            raise AssertionError(f"{error}: {self.agent.json('status', wanted=None)['rules']}") from None

    def wait_no_row(self, timeout=15):
        wait_for(lambda: self.row() is None, timeout, f"the end of {self.rule}", step=0.05)

    # --- traffic -------------------------------------------------------------------------------------------------

    def ask(self, role="v1", path="/one"):
        """One request on a connection of its own; v1 must answer."""
        done = run(self.lab.argv("client", ["curl", "-sS", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}",
                                            "-H", f"X-Id: {role}-{path[1:]}",
                                            f"http://{self.lab.addr(role)}:{PORT}{path}"]), check=False)
        check(done.stdout == "200", f"{role} answered {path} with {done.stdout!r} {done.stderr}")

    def count(self, role):
        return self.recorder(role).counts()["requests"]

    def wait_count(self, role, count, timeout=10):
        """Exactly that many requests at a peer: waits for them, then a moment for one too many."""
        try:
            wait_for(lambda: self.count(role) >= count, timeout, f"{count} requests at {role}", step=0.02)
        except LabError as error:
            raise AssertionError(f"{error}; it has {self.count(role)}; ledger "
                                 f"{json.dumps(self.agent.json('ledger', wanted=None)['rules'])[:1500]}") from None
