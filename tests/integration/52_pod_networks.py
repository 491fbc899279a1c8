#!/usr/bin/python3
"""Pods as network plugins connect them, on two nodes with an agent each: clients in pods and on nodes, on both sides,
by the pod's address and by the Service's. Every request at v1 is at v2 once, whoever could have seen it."""
import contextlib

import rules
from agent import Agent
from case import case, check, check_equal, main, need_command, note
from lab import wait_for
from peers import PORT, Driver, Recorder, check_mirrored, check_unharmed, drive
from pod_lab import LAN, VIP, VIP6, PodLab

SERVICE_PORT = 80


class Scene:
    """v1 and its clients on `node`, v2 on `node2`, an agent on each; v1 is a pod or the node itself (hostNetwork)."""

    def __init__(self, lab, v1="v1"):
        self.lab, self.v1_role = lab, v1
        for role, node in (("v1", "node"), ("c", "node"), ("c2", "node2"), ("v2", "node2")):
            if role != "v1" or v1 == "v1":
                lab.add_pod(role, node)
        self.v1 = Recorder(lab, v1, name="v1", args=["--keep"])
        self.v2 = Recorder(lab, "v2", args=["--keep"])
        files = [self.write_registry([v1]), rules.write(lab, "rule.yaml", rules.mirror_rule("mirror")),
                 rules.write(lab, "policy.yaml", rules.documents(
                     rules.mirror_policy("mirror", clientAddress="proxyV2")))]
        self.agents = [Agent(lab, *files, name=role, role=role) for role in ("node", "node2")]

    def write_registry(self, v1_roles):
        pods = {"v1": [self.both(role) for role in v1_roles], "v2": [self.both("v2")]}
        return rules.write(self.lab, "registry.yaml", rules.registry(pods, PORT, service_port=SERVICE_PORT))

    def both(self, role):
        return [self.lab.addr(role), self.lab.addr(role, 6)]

    def serve(self, mode, role=None):
        self.lab.set_service(mode, SERVICE_PORT, [(*self.both(role or self.v1_role), PORT)])

    def run(self, clients):
        """clients: (role, address, port) each; all at once. Then v2 must have what v1 has, by the word of both agents."""
        drivers = [Driver(self.lab, address, port=port, role=role, tag=f"d{i}", requests=24, connections=2, reconnect=6,
                          max_body=20000) for i, (role, address, port) in enumerate(clients)]
        for driver, client in zip(drivers, clients):
            try:
                check_unharmed(driver.result())
            except AssertionError as error:
                raise AssertionError(f"{client}: {error}") from None
        sent = [connection for driver in drivers for connection in driver.sent()]
        at_v2 = check_mirrored(sent, self.v1, [self.v2], timeout=15)
        self.check_ledgers(len(at_v2))
        return self.check_sources()

    def check_ledgers(self, count):
        rows = [agent.rule(agent.settled_ledger(), "mirror") for agent in self.agents]
        check_equal([row["mirrored"]["requests"] for row in rows], [count, 0], "requests mirrored by the two nodes")
        check_equal([row["kernel"]["seen"]["packets"] > 0 for row in rows], [True, False], "packets seen by the nodes")

    def check_sources(self):
        """The clients that v2 is told of are those that v1 sees. Returns their addresses."""
        def connections(recorder, key):
            kept = recorder.do("raw")["raw"]
            return sorted(k[key][:2] for k in kept if k["text"] and k[key])
        at_v1 = connections(self.v1, "peer")
        check_equal(connections(self.v2, "proxy"), at_v1, "clients by PROXY headers at v2, against v1's view")
        ends = {tuple(k["proxy"][2:]) for k in self.v2.do("raw")["raw"] if k["proxy"]}
        check(ends <= {(address, PORT) for address in self.both(self.v1_role)}, f"servers by PROXY headers: {ends}")
        return {address for address, _ in at_v1}


@contextlib.contextmanager
def scene(layout, **options):
    with PodLab(layout) as lab:
        made = Scene(lab, **options)
        with made.agents[0], made.agents[1]:
            yield made


def everybody(s, *, own_service):
    """Every client by every address; own_service: the pod on v1's node by the ClusterIP as well."""
    places = [(s.lab.addr(s.v1_role), PORT), (s.lab.addr(s.v1_role, 6), PORT), (VIP, SERVICE_PORT)]
    clients = [(role, *place) for role in ("c", "c2", "node", "node2") for place in places]
    clients.append(("c2", VIP6, SERVICE_PORT))
    return [c for c in clients if own_service or c[0] != "c" or c[1] != VIP]


def layout_case(layout, mode):
    need_command("nft", "iptables-nft-restore")
    with scene(layout) as s:
        s.serve(mode)
        # Between two ports of a bridge the answer does not pass the address translation, unless br_netfilter is loaded.
        clients = everybody(s, own_service=layout != "bridge")
        clients.append(("v1", VIP, SERVICE_PORT))  # hairpin: masqueraded
        sources = s.run(clients)
        check({s.lab.addr("c"), s.lab.addr("c2")} <= sources, f"v1 sees {sources}")
        check(s.lab.addr("v1") not in sources, f"the hairpin was not masqueraded: {sources}")
        note(f"{len(clients)} clients, {s.v1.counts()['requests']} requests; v1 sees {len(sources)} sources")


@case("pods on a bridge (kubenet, flannel); Services by iptables")
def bridge():
    layout_case("bridge", "iptables")


@case("pods behind point-to-point veths with host routes; Services by nftables with verdict maps")
def point_to_point():
    layout_case("ptp", "nftables")


@case("pods with /32 addresses, proxy_arp and a link-local gateway (Calico); Services by iptables")
def calico():
    layout_case("calico", "iptables")


@case("a hostNetwork pod: each node's agent sees the traffic between the nodes, the server's alone mirrors it")
def host_network():
    with scene("calico", v1="node") as s:
        s.serve("iptables")
        remote = [entry["endpoint"] for entry in s.agents[1].json("status")["remote_endpoints"]]
        check_equal(sorted(remote), sorted([f"{LAN['node'][0]}:{PORT}", f"[{LAN['node'][1]}]:{PORT}"]),
                    "what the second node leaves to the first")
        s.run([c for c in everybody(s, own_service=False) if c[0] != "node" or c[1] == s.lab.addr("node")])


@case("a hostNetwork pod by its ClusterIP from its own node: the packets do not show both ends; absent, not altered")
def host_network_own_service():
    with scene("calico", v1="node") as s:
        s.serve("nftables")
        # The pod's veth is passed before the address is replaced, lo after the answer's source was put back.
        for role in ("c", "node"):
            sent, _ = drive(s.lab, VIP, port=SERVICE_PORT, role=role, requests=20, connections=2, tag=role)
            s.v1.do("reset")
            check(sum(len(connection) for connection in sent) >= 20, "requests at v1")
        rows = [agent.rule(agent.settled_ledger(), "mirror") for agent in s.agents]
        check_equal([row["mirrored"]["requests"] for row in rows], [0, 0], "requests mirrored")
        check_equal(s.v2.counts()["connections"], 0, "connections to v2")


def replace_pod(s, old, new):
    """A pod in place of the last one: known to the agent before it gets traffic. Its first connections are mirrored."""
    s.lab.add_pod(new, "node")
    recorder = Recorder(s.lab, new, args=["--keep"])
    for agent in s.agents:
        agent.call("apply", "-f", s.write_registry([s.v1_role, new]))
    before = s.v2.counts()["requests"]
    driver = Driver(s.lab, s.lab.addr(new), role="c2", tag=new, requests=12, connections=3, expect=new,
                    max_body=20000)
    check_unharmed(driver.result())
    sent = {record[0] for connection in driver.sent() for record in connection}
    wait_for(lambda: sent <= {entry[1] for entry in s.v2.requests()}, 10, f"all of {new}'s requests at v2")
    check(s.v2.counts()["requests"] >= before + len(sent), "requests at v2")
    if old:
        old.kill()
        s.lab.remove_pod(old.role)
    return recorder, driver.sent()


def churn(layout):
    with scene(layout) as s:
        load = Driver(s.lab, s.lab.addr("v1"), role="c", tag="load", seconds=60, connections=3, rate=100,
                      max_body=20000)
        sent, last = [], None
        for turn in range(3):
            last, more = replace_pod(s, last, f"p{turn}")
            sent += more
        result = load.end()
        check_unharmed(result)
        sent += load.sent()
        total = sum(len(connection) for connection in sent)
        wait_for(lambda: s.v2.counts()["requests"] >= total, 15, f"{total} requests at v2")
        at_v2 = s.v2.requests()
        check_equal(sorted(entry[1] for entry in at_v2), sorted(r[0] for c in sent for r in c), "requests at v2")
        s.check_ledgers(total)
        note(f"{result['answered']} requests of the load, {total - result['answered']} to pods that came")


@case("bridge: pods come and go under load; each new one's first connection is mirrored, nothing else is harmed")
def churn_bridge():
    churn("bridge")


@case("Calico: the same")
def churn_calico():
    churn("calico")


if __name__ == "__main__":
    main()
