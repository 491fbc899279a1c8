#!/usr/bin/python3
"""Mirrors that are origins themselves: each request is mirrored exactly as often as the rules say, and nothing goes on
circulating after the traffic has ended.
"""
import time

import rules
from agent import Agent
from case import case, check_equal, main, note
from lab import Lab
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent


class Place:
    """A recorder that is an endpoint of a service of its own: SERVICE.test, version v1."""

    def __init__(self, lab, name, role, port):
        self.lab, self.name, self.role, self.port = lab, name, role, port
        self.recorder = Recorder(lab, role, name=name, port=port)
        self.wanted = 0

    def entry(self):
        return rules.service_entry(f"{self.name}.test", [("v1", self.lab.addr(self.role), self.port)])

    def mirror_to(self, other):
        return rules.rule_between(f"{self.name}-to-{other.name}", (f"{self.name}.test", "v1"),
                                  (f"{other.name}.test", "v1"))

    def send(self, count, role="client"):
        driver = Driver(self.lab, self.lab.addr(self.role), port=self.port, role=role, tag=f"{self.name}{role}",
                        requests=count, connections=4, expect=self.name, mix="single=1", max_body=20000)
        check_unharmed(driver.result())


def settle_and_stay(agent, places, quiet):
    """Every recorder gets what it is owed, and then nothing for so many seconds."""
    for place in places:
        wait_requests([place.recorder], place.wanted, 10)

    def figures():
        return {place.name: place.recorder.counts()["requests"] for place in places}
    wanted = {place.name: place.wanted for place in places}
    check_equal(figures(), wanted, "requests at each server")
    before = agent.settled_ledger()["rules"]
    time.sleep(quiet)
    check_equal(figures(), wanted, f"requests at each server {quiet} s later")
    after = agent.settled_ledger()["rules"]
    for old, new in zip(before, after):
        for unit in ("seen", "mirrored"):
            check_equal(new[unit]["requests"], old[unit]["requests"], f"{new['rule']}: {unit} {quiet} s later")
    return {row["rule"].removeprefix("default/"): row for row in after}


@case("chain, ring, own endpoint, same address with another port: all at once, each request copied once")
def rings_and_chains():
    with Lab(mirrors=2) as lab:
        first, middle = Place(lab, "first", "v1", 8080), Place(lab, "middle", "v2", 8080)
        last = Place(lab, "last", "v2b", 8080)
        left, right = Place(lab, "left", "v1", 8082), Place(lab, "right", "v2", 8082)
        narcissus = Place(lab, "narcissus", "v1", 8083)
        upper, lower = Place(lab, "upper", "v1", 8084), Place(lab, "lower", "v1", 8085)
        places = [first, middle, last, left, right, narcissus, upper, lower]
        pairs = [(first, middle), (middle, last), (left, right), (right, left), (narcissus, narcissus), (upper, lower)]
        file = rules.write(lab, "all.yaml", rules.documents(*[p.entry() for p in places],
                                                            *[a.mirror_to(b) for a, b in pairs]))
        with Agent(lab, file) as agent:
            for place, count in ((first, 300), (middle, 200), (left, 250), (right, 150), (narcissus, 50), (upper, 100)):
                place.send(count)
            first.wanted, middle.wanted, last.wanted = 300, 300 + 200, 200
            left.wanted = right.wanted = 250 + 150
            narcissus.wanted = 50
            upper.wanted = lower.wanted = 100
            rows = settle_and_stay(agent, places, 5)
        for name, count in (("first-to-middle", 300), ("middle-to-last", 200), ("left-to-right", 250),
                            ("right-to-left", 150), ("upper-to-lower", 100)):
            check_equal(rows[name]["seen"]["requests"], count, f"requests seen by {name}")
            check_equal(rows[name]["mirrored"]["requests"], count, f"requests mirrored by {name}")
        own = {name: row["kernel"]["dropped"].get("own", {}).get("packets", 0) for name, row in rows.items()}
        note(f"packets of our own, left alone: {own}")


@case("v1 and v2 on the agent's own host, a ring between them; clients remote and local")
def same_host():
    with Lab("host", mirrors=1) as lab:
        one, two = Place(lab, "one", "v1", 8080), Place(lab, "two", "v1", 8081)
        file = rules.write(lab, "all.yaml", rules.documents(one.entry(), two.entry(), one.mirror_to(two),
                                                            two.mirror_to(one)))
        with Agent(lab, file) as agent:
            one.send(200)
            two.send(100)
            one.send(50, role="node")
            one.wanted = two.wanted = 350
            settle_and_stay(agent, [one, two], 2)


@case("v2 in the same Service: what clients send to v2 itself is not mirrored, what they send to v1 is, once")
def same_service():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with setup_agent(lab) as agent:
            for role, count in (("v1", 200), ("v2", 100)):
                check_unharmed(Driver(lab, lab.addr(role), expect=role, tag=role, requests=count, connections=4,
                                      mix="single=1").result())
            wait_requests([v2], 300, 10)
            row = agent.rule(agent.settled_ledger())
            time.sleep(1)
        check_equal([v1.counts()["requests"], v2.counts()["requests"]], [200, 300], "requests at v1 and v2")
        check_equal([row["seen"]["requests"], row["mirrored"]["requests"]], [200, 200], "seen and mirrored")


if __name__ == "__main__":
    main()
