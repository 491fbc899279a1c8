#!/usr/bin/python3
"""After a switch of protocols: WebSocket frames and a CONNECT tunnel arrive at v2 byte for byte, or not at all."""
import json

from agent import dropped_requests
from case import case, check, check_equal, main, need_command, need_module, note
from lab import HERE, PYTHON, Lab, LabError, wait_for
from peers import Recorder, wait_requests
from scene import setup_agent

PORT = 8080


def start(lab, role, what, *args):
    lab.spawn(role, [PYTHON, HERE / "websocket_peer.py", what, lab.addr(role), PORT, *args], role)
    lab.wait_port(role, lab.addr(role), PORT)


def told(lab, role, count=0):
    """What a server printed of its ended connections; waits for count of them."""
    def lines():
        return [json.loads(line) for line in lab.log(role).splitlines() if line.startswith("{")]
    try:
        wait_for(lambda: len(lines()) >= count, 10, f"{count} ended connections at {role}", step=0.05)
    except LabError:
        pass
    return sorted(lines(), key=lambda line: line["raw"])


def talk(lab):
    done = lab.exec("client", [PYTHON, HERE / "websocket_peer.py", "talk", lab.addr("v1"), PORT])
    return json.loads(done.stdout)["sent"]


@case("text, binary, ping, fragments, large messages and close: v2 gets every byte of the client, masks included")
def echo():
    need_module("websockets")
    with Lab() as lab:
        for role in ("v1", "v2"):
            start(lab, role, "serve")
        with setup_agent(lab) as agent:
            sent = [talk(lab) for _ in range(3)]
            at_v1, at_v2 = told(lab, "v1", 3), told(lab, "v2", 3)
            row = agent.rule(agent.settled_ledger())
        check_equal([c["messages"] for c in at_v1], sent, "messages at v1")
        check_equal([c["raw"] for c in at_v2], [c["raw"] for c in at_v1], "raw bytes at v2")
        check_equal([c["messages"] for c in at_v2], sent, "messages at v2")
        check_equal(dropped_requests(row), {}, "dropped requests")
        check_equal(row["mirrored"]["requests"], 3, "mirrored requests")
        check_equal(row["mirrored"]["bytes"], sum(c["raw"][0] for c in at_v2), "bytes mirrored against v2's record")
        note(f"{len(sent[0])} messages each, {row['mirrored']['bytes'] / 1e6:.1f} MB")


@case("a v2 that refuses the switch gets no frame; counted upgrade_refused; v1's clients notice nothing")
def refused():
    need_module("websockets")
    with Lab() as lab:
        start(lab, "v1", "serve")
        start(lab, "v2", "serve", 403)
        with setup_agent(lab) as agent:
            sent = [talk(lab) for _ in range(2)]
            row = agent.rule(agent.settled_ledger())
        check_equal([c["messages"] for c in told(lab, "v1", 2)], sent, "messages at v1")
        check_equal(told(lab, "v2"), [], "websocket connections at v2")
        refused_drops = row["dropped"].get("upgrade_refused", {})
        check(any(refused_drops.values()), f"counted as {row['dropped']}")
        note(f"mirrored {row['mirrored']}, upgrade_refused {refused_drops}")


@case("an HTTP recorder as v2 that answers 200 to the handshake sees the handshake and not one frame")
def answered_200():
    need_module("websockets")
    with Lab() as lab:
        start(lab, "v1", "serve")
        v2 = Recorder(lab, "v2")
        with setup_agent(lab) as agent:
            talk(lab)
            row = agent.rule(agent.settled_ledger())
        at_v2 = v2.requests()
        check_equal([entry[1] for entry in at_v2], ["GET /echo HTTP/1.1"], "requests at v2")
        check_equal(v2.counts()["bytes"], at_v2[0][3], "bytes at v2")
        check("upgrade_refused" in row["dropped"], f"counted as {row['dropped']}")


@case("CONNECT through a proxy: the requests inside the tunnel arrive at the mirror's own tunnel")
def connect_tunnel():
    need_command("curl")
    with Lab() as lab:
        inner = {role: Recorder(lab, role, addresses=["127.0.0.1"], port=9090, name=f"in-{role}")
                 for role in ("v1", "v2")}
        for role in ("v1", "v2"):
            start(lab, role, "proxy")
        with setup_agent(lab) as agent:
            for turn in range(5):
                done = lab.exec("client", ["curl", "-sS", "-p", "-x", f"http://{lab.addr('v1')}:{PORT}", "-d",
                                           f"turn={turn}&" + "x" * 20000 * turn, "-w", "%{http_code} ",
                                           "-o", "/dev/null", "http://127.0.0.1:9090/first",
                                           "-o", "/dev/null", "http://127.0.0.1:9090/second"])
                check_equal(done.stdout, "200 200 ", "what curl got")
            at_v1 = inner["v1"].requests()
            at_v2 = wait_requests([inner["v2"]], len(at_v1), 10)
            row = agent.rule(agent.settled_ledger())
        check_equal(len(at_v1), 10, "requests at v1")
        check_equal(sorted(entry[1:] for entry in at_v2), sorted(entry[1:] for entry in at_v1), "requests at v2")
        check_equal(row["mirrored"]["requests"], 5, "mirrored requests: the CONNECTs")
        check_equal(dropped_requests(row), {}, "dropped requests")


if __name__ == "__main__":
    main()
