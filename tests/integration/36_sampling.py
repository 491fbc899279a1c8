#!/usr/bin/python3
"""MirrorPolicy's percent: by flow, by request, by the value of a header. What is left out is counted as unsampled."""
import collections
import json
import math

import rules
from case import case, check, check_equal, main, note
from lab import HERE, PYTHON, Lab
from peers import Recorder, wait_requests
from scene import setup_agent

PORT = 8080


class Stage:
    def __init__(self, lab, **spec):
        self.lab = lab
        self.v1, self.v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        self.spec(**spec)

    def spec(self, **spec):
        rule = rules.write(self.lab, "rule.yaml", rules.mirror_rule("mirror"))
        policy = rules.write(self.lab, "policy.yaml", rules.documents(rules.mirror_policy("mirror", **spec)))
        self.agent = setup_agent(self.lab, rule=rule)
        self.agent.files.append(str(policy))

    def run(self, connections, requests, *args, first=20000):
        """One life of the agent under these connections: ids at v2 in order, the ledger's row. v1 got all."""
        for recorder in (self.v1, self.v2):
            recorder.do("reset")
        with self.agent as agent:
            argv = [PYTHON, HERE / "flow_client.py", self.lab.addr("v1"), PORT, first, connections, requests, *args]
            told = json.loads(self.lab.exec("client", argv, timeout=90).stdout)
            row = agent.rule(agent.settled_ledger(timeout=30), "mirror")
            got = [entry[1] for entry in wait_requests([self.v2], row["mirrored"]["requests"], 5)]
        check_equal(told["requests"], connections * requests, "answered requests")
        check_equal(len(self.v1.requests()), told["requests"], "requests at v1")
        check_equal(row["mirrored"]["requests"], len(got), "mirrored requests against v2's record")
        check_equal(len(set(got)), len(got), "requests at v2, each once")
        return got, row


def check_share(count, total, percent, what):
    """Within three standard deviations of a fair draw."""
    share = percent / 100
    margin = 3 * math.sqrt(total * share * (1 - share))
    note(f"{what}: {count} of {total}, {percent} % are {total * share:.0f} +- {margin:.0f}")
    check(abs(count - total * share) <= margin, f"{what}: {count} of {total} at {percent} %")


@case("10 % by flow of 2,000 connections: each flow all or nothing, the share fair, the same flows after a restart")
def by_flow():
    with Lab() as lab:
        stage = Stage(lab, percent=10)
        first, row = stage.run(2000, 2)
        again, _ = stage.run(2000, 2)
        flows = collections.Counter(name.split("-")[0] for name in first)
        check_equal(set(flows.values()), {2}, "requests of a mirrored flow")
        check_share(len(flows), 2000, 10, "flows")
        check_equal(sorted(again), sorted(first), "what is mirrored after a restart")
        unsampled = row["kernel"]["dropped"].get("unsampled") or row["dropped"].get("unsampled")
        check(unsampled and any(unsampled.values()), f"nothing is counted as unsampled: {row}")
        stage.spec(percent=50)
        half, _ = stage.run(2000, 2)
        check(set(first) <= set(half), "a higher percentage leaves out flows that a lower one takes")
        check_share(len(half) // 2, 2000, 50, "flows at 50 %")


@case("fractions of a percent count: 0.5 % by flow of 4,000 connections")
def fractions():
    with Lab() as lab:
        got, _ = Stage(lab, percent=0.5).run(4000, 1)
        check_share(len(got), 4000, 0.5, "flows")
        check(got, "nothing was mirrored")


@case("100 % is exact, 0 % is nothing")
def ends_of_the_scale():
    with Lab() as lab:
        stage = Stage(lab, percent=100)
        got, row = stage.run(300, 2)
        check_equal(len(got), 600, "requests at 100 %")
        check_equal({k: v for k, v in row["dropped"].items() if v["requests"]}, {}, "dropped at 100 %")
        for by in ("flow", "request"):
            stage.spec(percent=0, sampling={"by": by})
            got, row = stage.run(300, 2)
            check_equal((got, row["mirrored"]["requests"]), ([], 0), f"requests at 0 % by {by}")
            check_equal(stage.v2.counts()["bytes"], 0, f"bytes at v2 at 0 % by {by}")


@case("20 % by request of 4,000 requests on 20 connections: fair, and connections are mixed")
def by_request():
    with Lab() as lab:
        got, row = Stage(lab, percent=20, sampling={"by": "request"}).run(20, 200)
        check_share(len(got), 4000, 20, "requests")
        flows = collections.Counter(name.split("-")[0] for name in got)
        check_equal(len(flows), 20, "flows with a mirrored request")
        check(max(flows.values()) < 200, f"a flow was mirrored whole: {flows}")
        check_equal(row["dropped"]["unsampled"]["requests"], 4000 - len(got), "requests counted as unsampled")
        check_equal(row["seen"]["requests"], 4000, "requests seen")


@case("25 % by a header's value: requests of one value all or nothing, over connections and after a restart")
def by_header():
    with Lab() as lab:
        stage = Stage(lab, percent=25, sampling={"by": "header", "header": "X-User"})
        values = {}
        for number in range(1, 4001):
            source, turn = 20000 + (number - 1) // 40, (number - 1) % 40
            values.setdefault(f"value-{number % 400}" if number % 17 else "none", set()).add(f"{source}-{turn}")
        first, row = stage.run(100, 40, "X-User", 400)
        again, _ = stage.run(100, 40, "X-User", 400)
        got = set(first)
        torn = [value for value, names in values.items() if names & got and not names <= got]
        check_equal(torn, [], "values of which only a part was mirrored")
        check_share(sum(names <= got for names in values.values()), len(values), 25, "values")
        check_equal(set(again), got, "what is mirrored after a restart")
        check_equal(row["dropped"]["unsampled"]["requests"], 4000 - len(got), "requests counted as unsampled")


if __name__ == "__main__":
    main()
