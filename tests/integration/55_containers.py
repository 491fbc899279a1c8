#!/usr/bin/python3
"""The agent in parts, as containers of a pod: a loader with two capabilities that starts nobody, a terminator and a
controller of other users that connect to it."""
import json
import os
import signal
import socket
import struct

import compare
from agent import Agent, binary
from case import case, check, check_equal, check_none, main, need_command
from lab import PYTHON, Lab, wait_for
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent

GROUP = 4242
LOADER = ["setpriv", f"--groups={GROUP}", "--bounding-set=-all,+bpf,+net_admin"]
OTHER = ["setpriv", "--reuid=65532", f"--regid={GROUP}", "--clear-groups", "--bounding-set=-all", "--no-new-privs"]
PORT = 8080
# Listens on 15006 and passes connections on to ADDRESS PORT, byte by byte.
SIDECAR = """
import asyncio, sys
async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
async def serve(reader, writer):
    onward = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    await asyncio.gather(pump(reader, onward[1]), pump(onward[0], writer))
    writer.close()
    onward[1].close()
async def main():
    async with await asyncio.start_server(serve, "0.0.0.0", 15006) as server:
        await server.serve_forever()
asyncio.run(main())
"""


class PodAgent(Agent):
    """The loader as a container has it. Its sockets lie in a directory of their own."""

    def __init__(self, lab, *files, args=()):
        self.terminator_socket = lab.dir / "terminator.sock"
        self.controller_socket = lab.dir / "controller.sock"
        super().__init__(lab, *files, args=["--terminator-socket", self.terminator_socket, "--controller-socket",
                                            self.controller_socket, "--group", GROUP, "--node", "n1", *args])
        self.terminators = 0

    def launch(self):
        self.log_start = len(self.log())
        files = [part for f in self.files for part in ("-f", f)]
        self.child = self.lab.spawn("node", [*LOADER, binary(), "run", *files, "--socket", self.socket, *self.args],
                                    self.name)

    def start_terminator(self):
        self.terminators += 1
        return self.lab.spawn("node", [*OTHER, binary(), "terminator", "--socket", self.terminator_socket],
                              f"terminator{self.terminators}")

    def wait_running(self, state="running"):
        wait_for(lambda: self.json("status")["terminator"] == state, 10, f"a terminator that is {state}")


def mirrored(lab, v1, v2, tag, count=100):
    before = len(v2.requests())
    driver = Driver(lab, lab.addr("v1"), requests=count, connections=4, mix="single=1", tag=tag)
    check_unharmed(driver.result())
    return wait_requests([v2], before + count, 10)[before:], driver.sent()


@case("a loader with CAP_BPF and CAP_NET_ADMIN alone, and a terminator without any: what is sent is mirrored")
def two_containers():
    need_command("setpriv")
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with PodAgent(lab, *setup_agent(lab).files) as agent:
            wait_for(lambda: agent.json("status")["terminator"] == "restarting", 5, "the state without a terminator")
            terminator = agent.start_terminator()
            agent.wait_running()
            at_v2, sent = mirrored(lab, v1, v2, "a")
            check_none(compare.identical(sent, at_v2, "v2"), "requests at v2")
            processes = {row["role"]: row for row in agent.json("status")["processes"]}
            check_equal(int(processes["loader"]["capabilities"], 16), 1 << 39 | 1 << 12, "the loader's capabilities")
            check_equal(int(processes["loader"]["permitted"], 16), 1 << 39 | 1 << 12, "what the loader could take")
            check_equal(processes["terminator"]["uid"], "65532", "the terminator's user")
            check_equal(int(processes["terminator"]["permitted"], 16), 0, "the terminator's capabilities")
            check(processes["terminator"]["no_new_privs"], "the terminator may gain privileges")
            lab.kill(terminator, signal.SIGTERM, 10)
            check_equal(terminator.returncode, 0, "the terminator's exit code")
            agent.wait_running("restarting")


@case("the terminator is killed, stopped and started, and the loader too: both find each other again, the ledger closes")
def lives():
    need_command("setpriv")
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with PodAgent(lab, *setup_agent(lab).files) as agent:
            terminator = agent.start_terminator()
            agent.wait_running()
            mirrored(lab, v1, v2, "a")
            lab.kill(terminator, signal.SIGKILL, 10)
            agent.wait_running("restarting")
            check_unharmed(Driver(lab, lab.addr("v1"), requests=50, connections=2, tag="b").result())
            check_equal(v2.counts()["requests"], 100, "requests at v2 while there is no terminator")
            check(agent.settled_ledger()["closes"], "the ledger does not close without a terminator")
            agent.start_terminator()
            agent.wait_running()
            at_v2, sent = mirrored(lab, v1, v2, "c")
            check_none(compare.identical(sent, at_v2, "v2"), "requests at v2")
            check(agent.settled_ledger()["closes"], "the ledger does not close")
            agent.stop()
            agent.start()
            agent.wait_running()
            at_v2, sent = mirrored(lab, v1, v2, "d")
            check_none(compare.identical(sent, at_v2, "v2"), "requests at v2 with the next loader")


@case("somebody who is not of the group is no terminator and no controller; a second one is refused")
def strangers():
    need_command("setpriv")
    stranger = ["setpriv", "--reuid=65531", "--regid=65531", "--clear-groups"]
    with Lab() as lab:
        with PodAgent(lab, *setup_agent(lab).files) as agent:
            # The files' mode keeps them out already; that the loader asks for itself too is shown by root's opening.
            for path in (agent.terminator_socket, agent.controller_socket):
                check_equal(os.stat(path).st_mode & 0o777, 0o660, f"mode of {path.name}")
                check_equal(os.stat(path).st_gid, GROUP, f"group of {path.name}")
                os.chmod(path, 0o666)
            lab.spawn("node", [*stranger, binary(), "terminator", "--socket", agent.terminator_socket], "stranger")
            wait_for(lambda: "a terminator was refused" in agent.log(), 10, "the refusal in the log")
            check_equal(agent.json("status")["terminator"], "restarting", "the terminator")
            agent.start_terminator()
            agent.wait_running()
            agent.start_terminator()
            wait_for(lambda: "a second terminator was refused" in agent.log(), 10, "the second refusal in the log")
            check_equal(agent.json("status")["terminator"], "running", "the terminator")


class HostileTerminator:
    """Takes setup and plan as the real one does, with an answer of the test's own."""

    def __init__(self, path, report):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        for answer in (report, b"\x01"):
            message, fds, *_ = socket.recv_fds(self.socket, 1 << 16, 253)
            check(message, "the loader closed the connection")
            for fd in fds:
                os.close(fd)
            self.socket.send(answer)


@case("a hostile terminator: bytes that nobody asked for are its end, a nested report harms nobody; the next one serves")
def hostile_terminator():
    need_command("setpriv")
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with PodAgent(lab, *setup_agent(lab).files) as agent:
            hostile = HostileTerminator(agent.terminator_socket, b'{"role":"loader","uid":' + b"[" * 60000)
            agent.wait_running()
            roles = [row["role"] for row in agent.json("status")["processes"]]
            check_equal(roles, ["loader", "terminator"], "processes in the status")
            hostile.socket.send(b"\x01")
            agent.wait_running("restarting")
            agent.start_terminator()
            agent.wait_running()
            at_v2, sent = mirrored(lab, v1, v2, "a")
            check_none(compare.identical(sent, at_v2, "v2"), "requests at v2")


@case("a sidecar and its application within a pod: the plaintext on the pod's loopback is mirrored, by --netns")
def sidecar():
    need_command("setpriv")
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        lab.spawn("v1", [PYTHON, "-c", SIDECAR, lab.addr("v1"), PORT], "sidecar")
        lab.wait_port("v1", lab.addr("v1"), 15006)
        netns = f"/run/netns/{lab.ns('v1')}"
        args = ["--terminator-socket", lab.dir / "terminator.sock", "--group", GROUP, "--netns", netns, "--iface", "lo"]
        with Agent(lab, *setup_agent(lab).files, args=args) as agent:
            lab.spawn("node", [*OTHER, binary(), "terminator", "--socket", lab.dir / "terminator.sock"], "terminator")
            wait_for(lambda: agent.json("status")["terminator"] == "running", 10, "the terminator")
            driver = Driver(lab, lab.addr("v1"), port=15006, requests=100, connections=4, mix="single=1", tag="a")
            check_unharmed(driver.result())
            at_v2 = wait_requests([v2], 100, 10)
            check_none(compare.identical(driver.sent(), at_v2, "v2"), "requests at v2")
            check_equal([point["device"] for point in agent.json("status")["attach_points"]], ["lo"], "devices")
            check_equal(len(v1.requests()), 100, "requests at v1")


@case("umbra run --metrics: an exporter without privileges that reads as a member of the group; without one the agent runs")
def metrics():
    need_command("curl")
    with Lab() as lab:
        Recorder(lab, "v1"), Recorder(lab, "v2")
        args = ["--metrics", "127.0.0.1:9464", "--group", GROUP]
        with Agent(lab, *setup_agent(lab).files, args=args) as agent:
            def ask(path):
                return lab.exec("node", ["curl", "-s", f"http://127.0.0.1:9464{path}"], check=False).stdout
            wait_for(lambda: "umbra_up 1" in ask("/metrics"), 10, "metrics of the running agent")
            check_unharmed(Driver(lab, lab.addr("v1"), requests=50, connections=2, mix="single=1", tag="a").result())
            agent.settled_ledger()
            wanted = 'umbra_mirrored_requests_total{rule="default/mirror-traffic-to-httbin-v2"} 50'
            wait_for(lambda: wanted in ask("/metrics"), 10, "the mirrored requests as a metric")
            users = {open(f"/proc/{pid}/comm").read().strip(): os.stat(f"/proc/{pid}").st_uid for pid in agent.pids()}
            check("umbra-metrics" in users, f"no exporter among the processes {users}")
        with Agent(lab, *setup_agent(lab).files, args=["--metrics", "127.0.0.1:9464", "--group", "nobody-has-it"]) as agent:
            wait_for(lambda: "there is no group 'nobody-has-it'" in agent.log(), 5, "the missing group in the log")
            check_equal(agent.json("status")["terminator"], "running", "the agent without its exporter")


class Controller:
    """A controller of the test's own, which sends what it is told to."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(str(path))

    def send(self, objects=(), deleted=(), reset=False, synced=True):
        self.raw(json.dumps({"changes": {"reset": reset, "synced": synced, "objects": list(objects),
                                         "deleted": list(deleted), "health": {"server": "test"}}}).encode())

    def raw(self, body, length=None):
        self.socket.sendall(struct.pack("!I", len(body) if length is None else length) + body)

    def receive(self, what):
        """The next message of a kind; others before it are dropped."""
        while True:
            size, = struct.unpack("!I", self.exactly(4))
            message = json.loads(self.exactly(size))
            if what in message:
                return message[what]

    def exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            check(part, "the loader closed the feed")
            data += part
        return data

    def is_closed(self):
        while self.socket.recv(65536):
            pass
        return True


def meta(name, **more):
    return {"name": name, "namespace": "default", "generation": 1, **more}


def objects(lab, v1_node="n1"):
    pods = [("v1", v1_node), ("v2", "n2")]
    return [{"apiVersion": "v1", "kind": "Service", "metadata": meta("httpbin"),
             "spec": {"selector": {"app": "httpbin"}, "ports": [{"name": "http", "port": PORT}]}},
            *({"apiVersion": "v1", "kind": "Pod", "metadata": meta(v, labels={"app": "httpbin", "version": v}),
               "spec": {"nodeName": node}, "status": {"phase": "Running", "podIP": lab.addr(v)}} for v, node in pods),
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
             "metadata": meta("httpbin-1", labels={"kubernetes.io/service-name": "httpbin"}),
             "endpoints": [{"addresses": [lab.addr(v)], "nodeName": node, "conditions": {"ready": True},
                            "targetRef": {"kind": "Pod", "name": v, "namespace": "default"}} for v, node in pods],
             "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}]}]


def rule(name="mirror", **spec):
    return {"apiVersion": "config.istio.io/v1alpha2", "kind": "RouteRule", "metadata": meta(name),
            "spec": {"destination": {"name": "httpbin"}, "route": [{"labels": {"version": "v1"}}],
                     "mirror": {"name": "httpbin", "labels": {"version": "v2"}}, **spec}}


@case("a controller's objects become the plan, step by step; the loader says what it needs and what became of the rules")
def feed():
    need_command("setpriv")
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with PodAgent(lab) as agent:
            agent.start_terminator()
            controller = Controller(agent.controller_socket)
            check_equal(controller.receive("demand")["namespaces"], [], "what an agent without rules needs")
            controller.send([rule()], reset=True, synced=False)
            demand = controller.receive("demand")
            check_equal((demand["namespaces"], demand["pod_namespaces"]), (["default"], ["default"]), "the demand")
            controller.send(objects(lab))
            report = controller.receive("report")["rules"][0]
            check_equal((report["name"], report["programmed"]["holds"], report["origins"]), ("mirror", True, 1), "report")
            at_v2, sent = mirrored(lab, v1, v2, "a")
            check_none(compare.identical(sent, at_v2, "v2"), "requests at v2")
            controller.send([rule("broken", mirror=5)])
            broken = [r for r in controller.receive("report")["rules"] if r["name"] == "broken"][0]
            check_equal((broken["accepted"]["holds"], broken["accepted"]["reason"]), (False, "Invalid"), "a broken rule")
            check("spec.mirror" in broken["accepted"]["message"], f"its message: {broken['accepted']['message']}")
            status = agent.json("status")["kubernetes"]
            check_equal((status["synced"], status["connected"], len(status["rejected"])), (True, True, 1), "status")
            text = agent.call("status").stdout
            check("picture complete" in text and "RouteRule default/broken" in text, f"the text of status:\n{text}")
            mirrored(lab, v1, v2, "b")
            controller.send(deleted=[{"kind": "RouteRule", "namespace": "default", "name": "mirror"}])
            controller.receive("report")
            check_unharmed(Driver(lab, lab.addr("v1"), requests=20, connections=2, tag="c").result())
            check_equal(len(v2.requests()), 200, "requests at v2 after the rule went")


@case("without its controller the agent keeps the last picture; the next one's replaces it; a broken frame ends one")
def feed_lives():
    need_command("setpriv")
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with PodAgent(lab) as agent:
            agent.start_terminator()
            first = Controller(agent.controller_socket)
            first.send([rule(), *objects(lab)], reset=True)
            first.receive("report")
            first.socket.close()
            wait_for(lambda: not agent.json("status")["kubernetes"]["connected"], 5, "the end of the feed")
            mirrored(lab, v1, v2, "a")
            for body, length in ((b"nonsense", None), (b"{}", None), (b"[1]", None), (b"", 1 << 30),
                                 (b'{"changes":{"reset":5}}', None)):
                hostile = Controller(agent.controller_socket)
                hostile.raw(body, length)
                check(hostile.is_closed(), "the loader went on with a broken feed")
            mirrored(lab, v1, v2, "b")
            second = Controller(agent.controller_socket)
            check_equal(second.receive("demand")["namespaces"], ["default"], "what is needed from the second")
            second.send([rule()], reset=True, synced=False)
            mirrored(lab, v1, v2, "c")
            second.send(objects(lab, v1_node="n7"))
            wait_for(lambda: not agent.json("status")["attach_points"], 10, "an agent whose endpoint moved to a node")
            check_unharmed(Driver(lab, lab.addr("v1"), requests=20, connections=2, tag="d").result())
            check_equal(len(v2.requests()), 300, "requests at v2 after v1 moved to another node")


if __name__ == "__main__":
    main()
