#!/usr/bin/python3
"""A MirrorPolicy: two mirrors of one rule, each with its own share, its own row in the ledger, and exact."""
import compare
import rules
from agent import Agent, dropped_requests, umbra
from case import case, check, check_equal, check_none, main, note
from lab import Lab
from peers import Recorder, drive, wait_requests

POLICY = """apiVersion: umbra.dev/v1alpha1
kind: MirrorPolicy
metadata:
  name: shares
spec:
  targetRef: {kind: RouteRule, name: mirror}
  percent: PERCENT
  sampling: {by: request}
  mirrors:
  - {name: httpbin, labels: {version: v3}, percent: 100}
"""


def setup(lab, percent):
    pods = {"v1": [[lab.addr("v1")]], "v2": [[lab.addr("v2")]], "v3": [[lab.addr("v2b")]]}
    registry = rules.write(lab, "registry.yaml", rules.registry(pods))
    rule = rules.write(lab, "rule.yaml", rules.mirror_rule("mirror", 11, "v2"))
    policy = rules.write(lab, "policy.yaml", POLICY.replace("PERCENT", str(percent)))
    return Agent(lab, registry, rule, policy)


@case("one mirror takes 40 % of the requests, the other all of them; a row each; then the policy is deleted")
def two_shares():
    with Lab(mirrors=2) as lab:
        v1, v2, v3 = (Recorder(lab, role) for role in ("v1", "v2", "v2b"))
        with setup(lab, 40) as agent:
            sent, _ = drive(lab, lab.addr("v1"), requests=2000, connections=8)
            count = len(v1.requests())
            wait_requests([v3], count)
            ledger = agent.settled_ledger()
            part, whole = v2.requests(), v3.requests()
            check_none(compare.identical(sent, whole, "v3"), "the requests of the mirror that takes all")
            check_none(compare.honest(sent, part, "v2"), "the requests of the mirror that takes a part")
            check(0.35 * count < len(part) < 0.45 * count, f"{len(part)} of {count} requests are not about 40 %")
            own, further = agent.rule(ledger, "mirror"), agent.rule(ledger, "mirror#2")
            for row, received in ((own, part), (further, whole)):
                check_equal(row["seen"]["requests"], count, f"requests that {row['rule']} saw")
                check_equal(row["mirrored"]["requests"], len(received), f"requests mirrored by {row['rule']}")
            check_equal(dropped_requests(own).get("unsampled"), count - len(part), "unsampled requests")
            check_equal(dropped_requests(further), {}, "dropped requests of the mirror that takes all")
            check_equal([(p["policy"], p["status"]) for p in agent.json("get", "policies")],
                        [("default/shares", "in force")], "policies of the agent")
            agent.call("delete", "policy", "shares")
            again, _ = drive(lab, lab.addr("v1"), requests=200, connections=4, tag="s")
            wait_requests([v2], len(part) + 200)
            check_none(compare.identical(again, v2.requests()[len(part):], "v2"), "the requests without the policy")
            check_equal(len(v3.requests()), len(whole), "requests of the mirror that the policy named")
            agent.settled_ledger()
        note(f"{count} requests: {len(part)} and {len(whole)} mirrored")


@case("a policy at 0 % is off: nothing reaches its mirror, and status says so")
def nothing():
    with Lab(mirrors=2) as lab:
        v1, v2, v3 = (Recorder(lab, role) for role in ("v1", "v2", "v2b"))
        with setup(lab, 0) as agent:
            sent, _ = drive(lab, lab.addr("v1"), requests=300, connections=4)
            wait_requests([v3], len(v1.requests()))
            agent.settled_ledger()
            check_none(compare.identical(sent, v3.requests(), "v3"), "the requests of the other mirror")
            check_equal(v2.requests(), [], "requests at 0 %")
            status = agent.json("get", "rules")[0]["status"]
            check("mirror 1 off: its percentage is 0" in status, f"the status is {status!r}")
        told = umbra("explain", *(f for file in agent.files for f in ("-f", file)))
        check("0 % of requests" in told.stdout and "version=v3, 100 % of requests" in told.stdout, told.stdout)


if __name__ == "__main__":
    main()
