#!/usr/bin/python3
"""gRPC with python3-grpcio: unary and all three streaming kinds, metadata, deadlines, cancellations, large messages.
v2's record of calls and message hashes equals v1's.
"""
import json
import subprocess
import time

from agent import dropped_requests
from case import case, check, check_equal, main, need_module, note
from lab import HERE, PYTHON, Lab, LabError, die_with_parent, wait_for
from scene import setup_agent

PORT = 8080


class Server:
    def __init__(self, lab, role, name=None):
        need_module("grpc")
        name = name or role
        self.lab, self.path = lab, lab.dir / f"calls-{name}"
        argv = [PYTHON, HERE / "grpc_peer.py", "serve", role, lab.addr(role), PORT, self.path]
        self.child = lab.spawn(role, argv, name)
        wait_for(lambda: "serving" in lab.log(name), 15, f"the gRPC server of {role}")

    def lines(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def calls(self):
        return sorted((c for c in self.lines() if "method" in c), key=lambda c: json.dumps(c))

    def live(self):
        return [line["number"] for line in self.lines() if "live" in line]

    def wait(self, count, timeout=15):
        try:
            wait_for(lambda: len(self.calls()) >= count, timeout, "the calls", step=0.1)
        except LabError:
            pass
        return self.calls()


def call(lab, rounds=1):
    done = lab.exec("client", [PYTHON, HERE / "grpc_peer.py", "call", lab.addr("v1"), PORT, rounds], timeout=90)
    return json.loads(done.stdout)


class Held:
    """One Bidi call that stays open."""

    def __init__(self, lab):
        argv = lab.argv("client", [PYTHON, HERE / "grpc_peer.py", "hold", lab.addr("v1"), PORT])
        self.child = subprocess.Popen(argv, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, preexec_fn=die_with_parent)
        lab.children.append(self.child)

    def say(self, text):
        """Sends a message and waits for v1's answer."""
        self.child.stdin.write(text + "\n")
        self.child.stdin.flush()
        check_equal(json.loads(self.child.stdout.readline())["answer"], text + "\n", "v1's answer")

    def end(self):
        _, errors = self.child.communicate(timeout=20)
        check_equal(self.child.returncode, 0, f"the client's exit code\n{errors}")


def comparable(calls):
    """Calls without what is left of their deadlines: that is the client's clock."""
    return [{**c, "metadata": [m for m in c["metadata"] if m[0] != "grpc-timeout"]} for c in calls]


@case("the instruments: v1's record holds every call that the client made, with its messages; no agent is involved")
def instruments():
    with Lab() as lab:
        v1 = Server(lab, "v1")
        told = call(lab)
        calls = v1.wait(told["calls"])
        check_equal(len(calls), told["calls"], "calls at v1")
        check_equal(sorted({c["method"].rsplit("/", 1)[1] for c in calls}),
                    ["Bidi", "ClientStream", "ServerStream", "Slow", "Unary"], "methods")
        check_equal([c["end"] for c in calls].count("cancelled"), told["cancelled"], "cancelled calls")
        check(any(c["messages"][1] == 3_000_000 for c in calls), "the large message is missing")
        held = Held(lab)
        held.say("one")
        held.say("two")
        check_equal(v1.live()[-2:], [1, 2], "live messages at v1")
        held.end()


@case("all kinds of calls on several connections: the same calls, metadata and messages at v2, cancellations too")
def every_kind():
    with Lab() as lab:
        v1, v2 = Server(lab, "v1"), Server(lab, "v2")
        with setup_agent(lab) as agent:
            told = [call(lab, rounds) for rounds in (1, 3, 1)]
            count = sum(t["calls"] for t in told)
            at_v1, at_v2 = v1.wait(count), v2.wait(count)
            row = agent.rule(agent.settled_ledger())
        check_equal(len(at_v1), count, "calls at v1")
        finished = [[c for c in comparable(calls) if c["end"] == "ok"] for calls in (at_v1, at_v2)]
        check_equal(finished[1], finished[0], f"calls at v2 (dropped: {dropped_requests(row)})")
        cancelled = sum(t["cancelled"] for t in told)
        check_equal(sum(c["end"] == "cancelled" for c in at_v2), cancelled, "cancelled calls at v2")
        check_equal(row["seen"]["requests"], count, "requests seen")
        lost = dropped_requests(row)
        check(set(lost) <= {"client_reset"} and sum(lost.values()) <= cancelled, f"dropped: {lost}")
        note(f"{count} calls, {row['mirrored']['bytes'] / 1e6:.1f} MB, dropped {lost or 'nothing'}")


@case("a bidirectional stream that stays open: each message is at v2 before the next one is sent")
def live_stream():
    with Lab() as lab:
        v1, v2 = Server(lab, "v1"), Server(lab, "v2")
        with setup_agent(lab) as agent:
            held = Held(lab)
            for number in range(1, 6):
                held.say(f"message {number}")
                wait_for(lambda: v2.live() == list(range(1, number + 1)), 5, f"message {number} at v2, the call open")
            flight = agent.rule(agent.ledger())["in_flight"]["requests"]
            check_equal(flight, 1, "requests in flight while the call is open")
            held.end()
            at_v2 = v2.wait(1)
            row = agent.rule(agent.settled_ledger())
        check_equal(comparable(at_v2), comparable(v1.calls()), "the call at v2")
        check_equal((row["mirrored"]["requests"], dropped_requests(row)), (1, {}), "mirrored and dropped requests")


@case("a connection that was open before the agent is never joined: nothing at v2, counted; new ones are mirrored")
def never_joined():
    with Lab() as lab:
        Server(lab, "v1")
        v2 = Server(lab, "v2")
        held = Held(lab)
        held.say("before")
        with setup_agent(lab) as agent:
            for number in range(5):
                held.say(f"after {number}")
            time.sleep(0.3)
            check_equal(v2.lines(), [], "v2's record")
            told = call(lab)
            at_v2 = v2.wait(told["calls"])
            held.end()
            row = agent.rule(agent.settled_ledger())
        check_equal({c["id"] for c in at_v2}, {f"call-{i}" for i in range(1, told["calls"] + 1)}, "calls at v2")
        lost = {reason: d["bytes"] for reason, d in row["dropped"].items() if d["bytes"]}
        check("midstream" in lost, f"dropped: {lost}")
        note(f"dropped: {lost}")


@case("v2 stopped: v1's calls all succeed, what is not mirrored is counted; v2 started again is served again")
def outage():
    with Lab() as lab:
        v1, v2 = Server(lab, "v1"), Server(lab, "v2")
        with setup_agent(lab, "--limit", "response_timeout=2s") as agent:
            call(lab)
            before = len(v2.calls())
            lab.kill(v2.child)
            told = call(lab)
            row = agent.rule(agent.settled_ledger(timeout=30))
            lost = sum(dropped_requests(row).values())
            check(lost >= told["calls"] - told["cancelled"], f"dropped: {row['dropped']}")
            v2 = Server(lab, "v2", name="v2-again")
            deadline = time.monotonic() + 10
            while not v2.calls() and time.monotonic() < deadline:
                told = call(lab)
                v2.wait(told["calls"], 1)
            agent.settled_ledger(timeout=30)
        check(before and v2.calls(), f"mirroring did not go on: {before} calls at v2 before the outage, {len(v2.calls())} after it")
        check(all(c["end"] == "ok" or c["method"].endswith("Slow") for c in v1.calls()), "v1 saw a call fail")


if __name__ == "__main__":
    main()
