#!/usr/bin/python3
"""MirrorPolicy: several mirrors of a rule, order and spreading, balancing, limits and timeouts of one mirror. What a
limit sheds is counted, and whole requests only.
"""
import collections

import compare
from agent import dropped_requests
from case import case, check, check_equal, check_none, main, note
from lab import Lab, wait_for
from peers import Driver, check_unharmed, wait_requests
from policy_scene import Scene

LIMIT = ("--limit", "response_timeout=3s")  # a mirror that never answers shall not hold a case for 15 s
ONE_WORKER = ("--workers", 1)  # a policy's limits are each worker's


def send(scene, requests, connections=1, **options):
    """Single requests; v1 answers each. Returns what was sent."""
    driver = Driver(scene.lab, scene.lab.addr("v1"), requests=requests, connections=connections, mix="single=1",
                    **options)
    check_unharmed(driver.result())
    return driver.sent()


@case("three mirrors with percentages of their own: each has its own records and its own row in the ledger")
def several_mirrors():
    more = [{"name": "httpbin", "labels": {"version": "v3"}, "percent": 25, "sampling": {"by": "request"}},
            {"name": "httpbin", "labels": {"version": "v4"}, "headers": {"set": {"X-Third": "yes"}}}]
    with Lab(mirrors=3) as lab:
        scene = Scene(lab, {"percent": 100, "mirrors": more})
        first, second, third = scene.mirrors
        with scene.agent:
            sent = send(scene, 1000, 10, max_body=5000)
            for mirror in (first, third):
                scene.wait(1000, mirror)
            rows = [scene.row(number) for number in (1, 2, 3)]
        check_none(compare.identical(sent, first.requests(), "the first mirror"), "the first mirror's requests")
        check_none(compare.honest(sent, second.requests(), "the second mirror"), "the second mirror's requests")
        for mirror, row in zip(scene.mirrors, rows):
            check_equal(row["mirrored"]["requests"], len(mirror.requests()), f"mirrored to {mirror.name}")
            check_equal(row["seen"]["requests"], 1000, f"seen for {mirror.name}")
        share = len(second.requests())
        check(210 <= share <= 290, f"{share} of 1000 at the mirror with 25 %")
        check_equal(dropped_requests(rows[1]), {"unsampled": 1000 - share}, "dropped for the second mirror")
        ids = sorted(record[0] for connection in sent for record in connection)
        check_equal(sorted(e[1] for e in third.requests()), ids, "ids at the third mirror")
        marked = sum(c["text"].lower().count("\r\nx-third: yes\r\n") for c in third.do("raw")["raw"])
        check_equal(marked, 1000, "requests with the third mirror's header")


@case("one mirror in trouble leaves the other mirrors of its rule alone")
def independent():
    more = [{"name": "httpbin", "labels": {"version": "v3"}}]
    with Lab(mirrors=2) as lab:
        scene = Scene(lab, {"percent": 100, "mirrors": more}, agent_args=LIMIT)
        scene.v2.mode("hang")
        with scene.agent:
            sent = send(scene, 500, 5, max_body=5000)
            scene.wait(500, scene.mirrors[1])
            rows = [scene.row(number) for number in (1, 2)]
        at_second = scene.mirrors[1].requests()
        check_none(compare.identical(sent, at_second, "the second mirror"), "the second mirror's requests")
        check_equal((rows[1]["mirrored"]["requests"], dropped_requests(rows[1])), (500, {}), "the second mirror's row")
        check_equal(rows[0]["mirrored"]["requests"], 0, "mirrored to the one that never answers")
        check("response_timeout" in dropped_requests(rows[0]), f"the first mirror's row: {rows[0]['dropped']}")


@case("order: one connection's requests wait for each other (connection), or spread over a pool (request)")
def order():
    for kind, wanted in (("connection", 1), ("request", 20)):
        with Lab() as lab:
            scene = Scene(lab, {"order": kind}, agent_args=LIMIT)
            scene.v2.mode("hang")
            with scene.agent:
                sent = send(scene, 20, max_body=5000)
                heads = scene.wait_heads(wanted)
                counts = scene.v2.counts()
                check_equal(heads, wanted, f"order {kind}: requests at a v2 that answers none")
                check_equal(counts["connections"], wanted, f"order {kind}: connections")
                scene.row()
            check_none(compare.altered(sent, scene.v2.requests(), "v2"), "v2's requests")
    with Lab() as lab:
        scene = Scene(lab, {"order": "request"})
        with scene.agent:
            sent = send(scene, 1000, 4, max_body=50000)
            got = scene.wait(1000)
            row = scene.row()
        check_none(compare.altered(sent, got, "v2") + compare.missing(sent, got, "v2"), "v2's requests, spread")
        check_equal((row["mirrored"]["requests"], dropped_requests(row)), (1000, {}), "mirrored and dropped")
        note(f"1000 requests of 4 connections over {scene.v2.counts()['connections']} connections")


@case("inFlight: no more than four requests unanswered at v2, the others counted as mirror_in_flight")
def in_flight():
    with Lab() as lab:
        scene = Scene(lab, {"order": "request", "limits": {"inFlight": 4}}, agent_args=LIMIT + ONE_WORKER)
        scene.v2.mode("hang")
        with scene.agent:
            send(scene, 30, 3, max_body=2000)
            check_equal(scene.wait_heads(4), 4, "requests at v2")
            row = scene.row()
            check_equal(dropped_requests(row), {"mirror_in_flight": 26, "response_timeout": 4}, "dropped requests")
            check_equal(scene.v2.counts()["heads"], 4, "requests at v2 in the end")


@case("connections: no more than two to the mirror, whatever the client opens; what does not fit is counted")
def connections():
    with Lab() as lab:
        scene = Scene(lab, {"limits": {"connections": 2}}, agent_args=LIMIT + ONE_WORKER)
        scene.v2.mode("slow", seconds=0.05)
        with scene.agent:
            sent = send(scene, 200, 10, max_body=2000)
            row = scene.row()
            got = scene.v2.requests()
        check_none(compare.honest(sent, got, "v2"), "v2's requests")
        check_equal(scene.v2.counts()["connections"], 2, "connections at v2")
        lost = dropped_requests(row)
        check(set(lost) == {"connection_limit"} and row["mirrored"]["requests"] == len(got) > 0, f"{row}")
        note(f"{len(got)} mirrored, dropped {lost}")


@case("bytesPerSecond and queuedBytes: whole requests are shed and counted, what arrives is unaltered")
def bytes_limits():
    for limits, reason in (({"bytesPerSecond": "64Ki"}, "mirror_rate"), ({"queuedBytes": "128Ki"}, "mirror_queue")):
        with Lab() as lab:
            scene = Scene(lab, {"limits": limits}, agent_args=LIMIT + ONE_WORKER)
            if reason == "mirror_queue":
                scene.v2.mode("slow", seconds=0.02)
            with scene.agent:
                sent = send(scene, 300, 3, max_body=60000)
                row = scene.row()
                got = scene.v2.requests()
            check_none(compare.honest(sent, got, "v2"), "v2's requests")
            check_equal(scene.v2.counts()["partial"], 0, "requests cut short at v2")
            lost = dropped_requests(row)
            check(set(lost) == {reason}, f"{limits}: dropped {lost}")
            check_equal(row["mirrored"]["requests"], len(got), f"{limits}: mirrored requests")
            check_equal(len(got) + lost[reason], 300, f"{limits}: mirrored and dropped")
            check(got, f"{limits}: nothing was mirrored")
            note(f"{limits}: {len(got)} mirrored, dropped {lost}")


@case("timeouts.response of the policy holds where the agent's own is longer")
def timeouts():
    with Lab() as lab:
        scene = Scene(lab, {"timeouts": {"response": "500ms", "connect": "300ms", "idle": "1s"}})
        scene.v2.mode("hang")
        with scene.agent as agent:
            send(scene, 5, 5, max_body=2000)
            row = agent.rule(agent.settled_ledger(timeout=6), "mirror")  # the agent's own is 15 s
        check_equal(dropped_requests(row), {"response_timeout": 5}, "dropped requests")


@case("loadBalancing: by the client's address all connections go to one endpoint, round robin to all in turn")
def balancing():
    with Lab(mirrors=3) as lab:
        scene = Scene(lab, {"loadBalancing": "clientHash"}, endpoints=True)
        with scene.agent:
            send(scene, 90, 9, max_body=2000)
            scene.row()
            found = collections.Counter(m.name for m in scene.mirrors for _ in m.requests())
            check_equal(list(found.values()), [90], f"requests by endpoint: {found}")
    with Lab(mirrors=3) as lab:
        scene = Scene(lab, {"loadBalancing": "roundRobin"}, endpoints=True, agent_args=ONE_WORKER)
        with scene.agent:
            send(scene, 90, 9, max_body=2000)
            scene.row()
            check_equal([m.counts()["connections"] for m in scene.mirrors], [3, 3, 3], "connections by endpoint")
    with Lab(mirrors=3) as lab:
        scene = Scene(lab, {"loadBalancing": "leastOutstanding"}, endpoints=True, agent_args=ONE_WORKER)
        scene.v2.mode("hang")
        with scene.agent:
            for asked in range(1, 13):  # one at a time: only the one that never answers has a request outstanding
                send(scene, 1, max_body=2000)
                wait_requests(scene.mirrors[1:], asked - 1)
                wait_for(lambda: scene.agent.rule(scene.agent.ledger())["mirrored"]["requests"] >= asked - 1, 10,
                         "the answers of the others")
            found = [m.counts()["connections"] for m in scene.mirrors]
            scene.v2.kill()  # the agent's end need not wait for an answer that never comes
            check(found[0] == 1 and min(found[1:]) > 1,
                  f"connections of the one that never answers and of the others: {found}")


if __name__ == "__main__":
    main()
