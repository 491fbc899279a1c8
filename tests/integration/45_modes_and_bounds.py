#!/usr/bin/python3
"""Strict and one-sided mode stand in status, a flow whose server becomes invisible falls back and is counted; and each
bound of the reassembly can be set with --limit, and what it sheds is counted under its own reason."""
import socket
import time

from agent import imbalances
from case import case, check, check_equal, check_none, main, note
from lab import Lab, wait_for
from overlap_player import ACK, SYN, Player, in_namespace
from peers import Recorder
from scene import setup_agent


def of_workers(agent, name):
    return sum(w[name] for w in agent.json("status")["workers"])


class Client:
    """One keep-alive connection from the client's namespace."""

    def __init__(self, lab):
        with in_namespace(lab.ns("client")):
            self.socket = socket.create_connection((lab.addr("v1"), 8080), timeout=10)

    def get(self, name):
        self.socket.sendall(b"GET /x HTTP/1.1\r\nHost: v1\r\nX-Id: %s\r\n\r\n" % name.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(65536)
        check(answer.startswith(b"HTTP/1.1 200"), f"v1 answered {answer[:50]!r}")


def ids(recorder):
    return [entry[1] for entry in recorder.requests()]


@case("status states the mode, as text and as JSON")
def modes():
    for args, mode in (((), "strict"), (("--mode", "one-sided"), "one-sided")):
        with Lab() as lab:
            Recorder(lab, "v1")
            v2 = Recorder(lab, "v2")
            with setup_agent(lab, *args) as agent:
                client = Client(lab)
                client.get("a")
                wait_for(lambda: ids(v2) == ["a"], 10, "the request at v2")
                text = agent.call("status").stdout
                check_equal(agent.json("status")["mode"], mode, "mode in JSON")
                check(f", {mode} mode," in text, f"mode in the text:\n{text[:300]}")
                check_equal(of_workers(agent, "one_sided"), 1 if mode == "one-sided" else 0, "flows one-sided now")
                check_equal(of_workers(agent, "one_sided_flows"), 0, "flows that fell back")


@case("a flow whose server becomes invisible falls back to one-sided, is counted, and comes back")
def fallback():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with setup_agent(lab, "--limit", "server_wait=300ms") as agent:
            client = Client(lab)
            client.get("seen")
            wait_for(lambda: ids(v2) == ["seen"], 10, "the first request at v2")
            # From now on v1's packets take a way that does not pass the node.
            lab.ip("v1", "link", "add", "direct", "type", "veth", "peer", "name", "direct", "netns", lab.ns("client"))
            lab.ip("v1", "link", "set", "direct", "up")
            lab.ip("client", "link", "set", "direct", "up")
            lab.ip("client", "addr", "add", "10.81.0.2/24", "dev", "direct")
            lab.ip("v1", "addr", "add", "10.81.0.1/24", "dev", "direct")
            lab.ip("v1", "route", "add", lab.addr("client"), "via", "10.81.0.2")
            client.get("unseen")
            wait_for(lambda: ids(v2) == ["seen", "unseen"], 10, "the second request at v2")
            check_equal(of_workers(agent, "one_sided"), 1, "flows one-sided now")
            check_equal(of_workers(agent, "one_sided_flows"), 1, "flows that fell back")
            check("1 now, 1 fell back" in agent.call("status").stdout, "status keeps it quiet")
            lab.ip("v1", "route", "del", lab.addr("client"))
            client.get("again")
            wait_for(lambda: ids(v2)[2:] == ["again"], 10, "the third request at v2")
            check_equal(of_workers(agent, "one_sided"), 0, "flows one-sided now that the server is seen again")
            check_equal(of_workers(agent, "one_sided_flows"), 1, "flows that ever fell back")
        check_equal(ids(v1), ["seen", "unseen", "again"], "requests at v1")


@case("a client that v1's firewall shuts out, from the start or later: v2 gets nothing that v1 did not take; counted")
def blocked():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with setup_agent(lab, "--limit", "flow_idle=6s", "--limit", "flow_closing=6s") as agent:
            client = Client(lab)
            client.get("taken")
            wait_for(lambda: ids(v2) == ["taken"], 10, "the first request at v2")
            before = v2.counts()["bytes"]
            lab.exec("v1", ["nft", "-f", "-"], input="add table inet wall\n"
                     "add chain inet wall c { type filter hook input priority 0; }\n"
                     "add rule inet wall c tcp dport 8080 counter drop\n")
            client.socket.sendall(b"GET /x HTTP/1.1\r\nHost: v1\r\nX-Id: shut-out\r\n\r\n")
            with in_namespace(lab.ns("client")), socket.socket() as late:
                late.settimeout(1)
                try:
                    late.connect((lab.addr("v1"), 8080))
                    check(False, "v1's firewall lets a client in")
                except TimeoutError:
                    pass

            def idle():
                return agent.rule(agent.ledger())["dropped"].get("idle", {}).get("bytes")
            size = len(b"GET /x HTTP/1.1\r\nHost: v1\r\nX-Id: shut-out\r\n\r\n")
            wait_for(lambda: idle() == size, 30, "the request counted as dropped")
            check_equal(v2.counts()["bytes"], before, "bytes at v2")
            note(f"dropped {agent.rule(agent.settled_ledger())['dropped']}")
        check_equal((ids(v1), ids(v2)), (["taken"], ["taken"]), "requests at v1 and v2")


class Stage:
    """A client of hand-made packets, a real v1 and an agent with one bound set low."""

    def __init__(self, lab, player, limits):
        self.lab, self.player = lab, player
        args = [part for limit in limits for part in ("--limit", limit)]
        self.agent = setup_agent(lab, "--workers", "1", *args)

    def open(self, port):
        self.player.drain()
        self.player.send(port, -1, 0, SYN)
        ack = self.player.await_syn_ack(port)
        self.player.send(port, 0, ack, ACK)
        return ack

    def await_drop(self, reason):
        def dropped():
            row = self.agent.rule(self.agent.ledger())
            return row if row["dropped"].get(reason, {}).get("flows") else None
        row = wait_for(dropped, 10, f"flows dropped as {reason}")
        check_none(imbalances(self.agent.ledger()), "the ledger does not close")
        return row


def out_of_order(stage, port, count, size):
    ack = stage.open(port)
    for i in range(count):
        stage.player.send(port, 10 + 2 * i * size, ack, ACK, b"x" * size)


def too_many_flows(stage, first):
    for port in range(first, first + 3):
        ack = stage.open(port)
        stage.player.send(port, 0, ack, ACK, b"GET /never-ending")


def never_acknowledged(stage, port):
    ack = stage.open(port)
    stage.player.send(port, 0, ack, ACK, b"GET /never-ending")
    time.sleep(0.2)
    stage.lab.set_blackhole("v1", True)
    for i in range(20):
        stage.player.send(port, 17 + i * 1000, ack, ACK, b"x" * 1000)


@case("each bound of the reassembly, set by --limit, sheds whole flows under its own reason")
def bounds():
    cases = (
        ("ooo_segments", ("flow_segments=10",), lambda s, port: out_of_order(s, port, 20, 10)),
        ("ooo_bytes", ("flow_ooo=4k",), lambda s, port: out_of_order(s, port, 10, 1000)),
        ("memory", ("reassembly_memory=64k",), lambda s, port: [out_of_order(s, port + i, 20, 1000) for i in range(8)]),
        ("flow_table", ("flows=2",), too_many_flows),
        ("unacknowledged", ("flow_unacked=4k", "server_wait=1m"), never_acknowledged),
    )
    with Lab() as lab:
        Recorder(lab, "v2")
        player = Player(lab, "v1", lab.addr("v1"), lab.addr("client").rsplit(".", 1)[0] + ".77")
        for index, (reason, limits, force) in enumerate(cases):
            stage = Stage(lab, player, limits)
            with stage.agent as agent:
                listed = {row["name"]: row["value"] for row in agent.json("status")["limits"]}
                for limit in limits:
                    name, value = limit.split("=")
                    check_equal(listed[name], value.replace("1m", "60s"), f"limit {name} in status")
                force(stage, 3000 + 100 * index)
                row = stage.await_drop(reason)
                note(f"{reason}: {row['dropped'][reason]}")
                check_equal(row["mirrored"]["requests"], 0, "requests mirrored")
        player.close()


if __name__ == "__main__":
    main()
