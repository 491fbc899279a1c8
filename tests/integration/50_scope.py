#!/usr/bin/python3
"""Only matching traffic is cloned: other ports, other addresses and the copies themselves leave every counter at 0."""
from case import case, check, check_equal, main, note
from lab import Lab
from peers import Driver, Recorder, check_exact_ledger, check_mirrored, check_unharmed, drive
from scene import setup_agent


def untouched(ledger):
    """The counters of a ledger that are not zero."""
    return [f"{row['rule']} {part} {value}" for row in ledger["rules"]
            for part, value in [("kernel seen", row["kernel"]["seen"]), ("cloned", row["kernel"]["cloned"]),
                                ("seen", row["seen"])] if any(value.values())] + \
        [f"capture {key}" for key, value in ledger["capture"].items() if value]


@case("traffic to another port of v1, to v2 and to a third server is never cloned")
def other_traffic():
    with Lab(mirrors=2) as lab:
        servers = [Recorder(lab, "v1", port=9090), Recorder(lab, "v2"), Recorder(lab, "v2b")]
        with setup_agent(lab) as agent:
            for index, server in enumerate(servers):
                for family in (4, 6):
                    drive(lab, lab.addr(server.role, family), port=server.port, requests=300, connections=4,
                          expect=server.name, tag=f"t{index}{family}")
            ledger = agent.ledger()
            check_equal(untouched(ledger), [], "counters that are not zero")
            check_equal([s.counts()["requests"] >= 600 for s in servers], [True] * 3, "requests served")


@case("with matching and other traffic at once, the counters show the matching part alone")
def mixed_traffic():
    with Lab() as lab:
        v1, other, v2 = Recorder(lab, "v1"), Recorder(lab, "v1", name="other", port=9090), Recorder(lab, "v2")
        with setup_agent(lab) as agent:
            noise = Driver(lab, lab.addr("v1"), port=9090, requests=2000, connections=8, expect="other", tag="noise")
            sent, _ = drive(lab, lab.addr("v1"), requests=2000, connections=8)
            check_unharmed(noise.result())
            row = check_exact_ledger(agent, v1, check_mirrored(sent, v1, [v2]))
        note(f"{other.counts()['requests']} other requests; seen {row['seen']['requests']} of the rule")


@case("requests that v2 itself sends to v1 are mirrored once, and the copies are not copied again")
def mirror_as_client():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with setup_agent(lab) as agent:
            sent, _ = drive(lab, lab.addr("v1"), role="v2", requests=200, connections=2)
            everything = check_mirrored(sent, v1, [v2])
            row = check_exact_ledger(agent, v1, everything)
            check_equal(row["mirrored"]["requests"], len(everything), "v2 as a client is mirrored like any client")
            check(v2.counts()["requests"] == v1.counts()["requests"], "copies of copies were made")


if __name__ == "__main__":
    main()
