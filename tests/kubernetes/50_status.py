#!/usr/bin/python3
"""Status: the nodes' reports summed up in conditions, written by one of several controllers."""
import integration  # noqa: F401
import contextlib
import datetime
import time

import objects
from api_faults import ApiFaults
from case import case, check, check_equal, main, note
from lab import wait_for
from stage import Stage

TYPES = ("Accepted", "Programmed", "ResolvedRefs")
TAKEOVER = 60  # seconds


def verdict(holds, reason="Testing", message="said by a test"):
    return {"holds": holds, "reason": reason, "message": message}


def report_of(kind, ns, name, generation, programmed=True, accepted=True, resolved=True):
    return {"kind": kind, "namespace": ns, "name": name, "generation": generation, "accepted": verdict(accepted),
            "resolved": verdict(resolved), "programmed": verdict(programmed, "Programmed" if programmed else "NoRoom"),
            "origins": 1, "mirror_endpoints": 2}


class Trio:
    """Three nodes' controllers, each behind a proxy that counts what it writes."""

    def __init__(self, stage, ns, count=3):
        self.stage, self.ns, self.members = stage, ns, {}
        self.count = count
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        for number in range(self.count):
            name = f"{self.stage.node}-{number}"
            proxy = self.stack.enter_context(ApiFaults(self.stage.api, self.stage.cluster.authority))
            config = self.stage.cluster.kubeconfig(name, self.stage.account.user(), proxy.url,
                                                   self.stage.cluster.authority.cert)
            controller = self.stack.enter_context(self.stage.controller(config, node=name, name=f"c{number}"))
            controller.peer.demand([self.ns], [])
            self.members[name] = (controller, proxy)
        for controller, _ in self.members.values():
            controller.peer.wait_synced(30)
        return self

    def __exit__(self, *args):
        return self.stack.__exit__(*args)

    def report(self, *rules, node=None):
        for name, (controller, _) in self.members.items():
            if node in (None, name):
                controller.peer.report(list(rules))

    def writers(self, since=None):
        """{node: successful writes to status of rules and policies}"""
        out = {}
        for name, (_, proxy) in self.members.items():
            writes = [e for verb in ("patch", "update") for resource in ("routerules/status", "mirrorpolicies/status")
                      for e in proxy.asked(verb, resource, (since or {}).get(name, 0.0)) if e[4] in (200, 201)]
            if writes:
                out[name] = len(writes)
        return out

    def now(self):
        return {name: proxy.now() for name, (_, proxy) in self.members.items()}

    def kill(self, name):
        controller, proxy = self.members[name]
        controller.kill()
        return proxy


def conditions(stage, ns, resource="routerules", name=objects.RULE_NAME):
    found = stage.api.get(resource, ns, name).get("status", {})
    return {c["type"]: c for c in found.get("conditions", [])}, found


def wait_conditions(stage, ns, wanted, timeout=TAKEOVER, **where):
    """wanted: {type: status}."""
    def there():
        got, _ = conditions(stage, ns, **where)
        return got if {t: got.get(t, {}).get("status") for t in wanted} == wanted else None
    try:
        return wait_for(there, timeout, f"conditions {wanted}", step=0.2)
    except Exception as error:
        raise AssertionError(f"{error}; they are {conditions(stage, ns, **where)}") from None


def prepared(stage):
    ns = stage.space()
    stage.fill(ns)
    rule = objects.put(stage.api, "routerules", ns, objects.route_rule())
    return ns, rule["metadata"]["generation"]


def need_status(stage):
    """Where an Istio of that age has left a RouteRule CRD without the status subresource, there is none to write."""
    from case import Skip
    crd = stage.api.get("customresourcedefinitions", None, "routerules.config.istio.io")
    if not all("status" in v.get("subresources", {}) for v in crd["spec"]["versions"]):
        raise Skip("the cluster's RouteRule CRD has no status subresource")


@case("three nodes report a rule: its conditions come, complete and by one writer, and stay as they are")
def one_writer():
    with Stage() as stage:
        need_status(stage)
        ns, generation = prepared(stage)
        with Trio(stage, ns) as trio:
            trio.report(report_of("RouteRule", ns, objects.RULE_NAME, generation))
            got = wait_conditions(stage, ns, dict.fromkeys(TYPES, "True"))
            check_equal(sorted(got), sorted(TYPES), "types of conditions")
            for condition in got.values():
                check(condition["reason"] and condition["reason"][0].isupper() and condition["reason"].isalnum(),
                      f"the reason of {condition} is not CamelCase")
                check_equal(condition["observedGeneration"], generation, "observedGeneration")
                datetime.datetime.strptime(condition["lastTransitionTime"], "%Y-%m-%dT%H:%M:%SZ")
            wait_for(lambda: conditions(stage, ns)[1].get("nodes") == {"programmed": 3, "total": 3}, 30,
                     "nodes: 3 of 3 programmed")
            check_equal(conditions(stage, ns)[1].get("observedGeneration"), generation, "status.observedGeneration")
            check_equal(len(trio.writers()), 1, f"writers {trio.writers()}")
            before, since = conditions(stage, ns)[1], trio.now()
            version = stage.api.get("routerules", ns, objects.RULE_NAME)["metadata"]["resourceVersion"]
            time.sleep(25)  # several renewals of the leases
            check_equal(trio.writers(since), {}, "writes while nothing changes")
            check_equal(conditions(stage, ns)[1], before, "status while nothing changes")
            check_equal(stage.api.get("routerules", ns, objects.RULE_NAME)["metadata"]["resourceVersion"], version,
                        "resourceVersion while nothing changes")


@case("lastTransitionTime moves with the status alone, and only where it changed")
def transition_times():
    with Stage() as stage:
        need_status(stage)
        ns, generation = prepared(stage)
        with Trio(stage, ns, 2) as trio:
            trio.report(report_of("RouteRule", ns, objects.RULE_NAME, generation))
            first = wait_conditions(stage, ns, dict.fromkeys(TYPES, "True"))
            time.sleep(2.1)  # the times have seconds
            node = sorted(trio.members)[1]
            trio.report(report_of("RouteRule", ns, objects.RULE_NAME, generation, programmed=False), node=node)
            second = wait_conditions(stage, ns, {"Accepted": "True", "ResolvedRefs": "True", "Programmed": "False"})
            for kind in TYPES:
                moved = first[kind]["lastTransitionTime"] != second[kind]["lastTransitionTime"]
                check_equal(moved, kind == "Programmed", f"whether lastTransitionTime of {kind} moved")
            trio.report(report_of("RouteRule", ns, objects.RULE_NAME, generation), node=node)
            wait_conditions(stage, ns, dict.fromkeys(TYPES, "True"))


@case("the leader is killed: another takes over and writes what changed, and times stay")
def takeover():
    with Stage() as stage:
        need_status(stage)
        ns, generation = prepared(stage)
        with Trio(stage, ns) as trio:
            trio.report(report_of("RouteRule", ns, objects.RULE_NAME, generation))
            first = wait_conditions(stage, ns, dict.fromkeys(TYPES, "True"))
            leader, = trio.writers()
            trio.kill(leader)
            since, begin = trio.now(), time.monotonic()
            other = next(name for name in trio.members if name != leader)
            trio.report(report_of("RouteRule", ns, objects.RULE_NAME, generation, resolved=False), node=other)
            second = wait_conditions(stage, ns, {"ResolvedRefs": "False"})
            note(f"the next leader's first status {time.monotonic() - begin:.0f} s after the end of the first")
            writers = trio.writers(since)
            check(len(writers) == 1 and leader not in writers, f"writers after the leader's end: {writers}")
            check_equal(second["Accepted"]["lastTransitionTime"], first["Accepted"]["lastTransitionTime"],
                        "lastTransitionTime of a condition that did not change")


@case("a policy has its status too; the newest generation is what is judged; a node that goes leaves the sum")
def policies_and_nodes():
    with Stage() as stage:
        need_status(stage)
        ns, generation = prepared(stage)
        policy = objects.put(stage.api, "mirrorpolicies", ns, objects.mirror_policy())
        number = policy["metadata"]["generation"]
        with Trio(stage, ns, 2) as trio:
            trio.report(report_of("RouteRule", ns, objects.RULE_NAME, generation),
                        report_of("MirrorPolicy", ns, "httpbin", number, accepted=False))
            where = {"resource": "mirrorpolicies", "name": "httpbin"}
            wait_conditions(stage, ns, {"Accepted": "False"}, **where)
            changed = objects.put(stage.api, "mirrorpolicies", ns, objects.mirror_policy(percent=10))
            number = changed["metadata"]["generation"]
            trio.report(report_of("RouteRule", ns, objects.RULE_NAME, generation),
                        report_of("MirrorPolicy", ns, "httpbin", number))
            got = wait_conditions(stage, ns, {"Accepted": "True"}, **where)
            check_equal(got["Accepted"]["observedGeneration"], number, "observedGeneration of the newer policy")
            wait_for(lambda: conditions(stage, ns)[1].get("nodes") == {"programmed": 2, "total": 2}, 30, "2 of 2 nodes")
            gone = next(name for name in trio.members if name not in trio.writers())
            trio.members[gone][0].kill()
            wait_for(lambda: conditions(stage, ns)[1].get("nodes", {}).get("total") == 1, 150,
                     "the node that ended to leave the sum", step=0.5)


if __name__ == "__main__":
    main()
