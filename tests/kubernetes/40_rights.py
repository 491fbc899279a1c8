#!/usr/bin/python3
"""Credentials and rights: tokens that rotate and expire, and each right denied in turn."""
import integration  # noqa: F401
import contextlib
import json
import time

import objects
from api_faults import ApiFaults
from case import Wrong, case, check, check_equal, check_none, main, note
from cluster import CLUSTER_RULES, LEASE_RULES
from lab import LabError, wait_for
from picture import wait_equal
from stage import Stage, watched

GROUPS = {"pods": "", "services": "", "namespaces": "", "endpointslices": "discovery.k8s.io",
          "routerules": "config.istio.io", "mirrorpolicies": "umbra.dev", "serviceentries": "networking.istio.io"}
KINDS = {"pods": "Pod", "services": "Service", "endpointslices": "EndpointSlice", "routerules": "RouteRule",
         "mirrorpolicies": "MirrorPolicy", "serviceentries": "ServiceEntry", "namespaces": "Namespace"}
RECOVERY = 90  # seconds after the right was granted


@case("a token that is replaced before the old one ends: nobody notices")
def rotated():
    with Stage() as stage, ApiFaults(stage.api, stage.cluster.authority) as proxy:
        through = stage.cluster.kubeconfig("rotate", stage.account.user(), proxy.url, stage.cluster.authority.cert)
        with watched(stage, through) as (controller, expected, (ns,)):
            for mark in ("first", "second"):
                stage.account.renew()
                proxy.cut()
                stage.touch(ns, mark)
                wait_equal(expected, controller.peer)
            check_equal([e for e in proxy.asked() if e[4] == 401], [], "requests refused with 401")


@case("a token that ended before it was replaced: health says so, the picture is kept, the new token is taken")
def revoked():
    with Stage() as stage, ApiFaults(stage.api, stage.cluster.authority) as proxy:
        through = stage.cluster.kubeconfig("revoke", stage.account.user(), proxy.url, stage.cluster.authority.cert)
        with watched(stage, through) as (controller, expected, (ns,)):
            api, account = stage.api, stage.account
            before = controller.peer.snapshot()
            api.delete("serviceaccounts", stage.home, account.name)  # its tokens end with it
            api.create("serviceaccounts", stage.home, {"apiVersion": "v1", "kind": "ServiceAccount",
                                                       "metadata": {"name": account.name}})
            proxy.cut()
            stage.touch(ns, "revoked")

            def refused():
                proxy.cut()
                return [e for e in proxy.asked() if e[4] == 401]
            wait_for(refused, 30, "a request that is refused with 401", step=0.5)
            wait_for(lambda: says(controller, "401") or says(controller, "nauthorized"), 30, "health to say 401")
            lost = before.keys() - controller.peer.snapshot().keys()
            check_equal(lost, set(), "objects that left the picture without a valid token")
            account.renew()
            begin = time.monotonic()
            wait_equal(expected, controller.peer, RECOVERY)
            note(f"true again {time.monotonic() - begin:.1f} s after the new token was there")
            check(controller.peer.synced, "synced is gone")


@case("a token file that is missing or empty for a while")
def token_file_gone():
    with Stage() as stage, watched(stage) as (controller, expected, (ns,)):
        token = stage.account.token_file.read_text()
        stage.account.token_file.unlink()
        stage.touch(ns, "gone")
        wait_equal(expected, controller.peer, RECOVERY)  # running watches need no token
        stage.account.put("")
        time.sleep(1)
        stage.account.put(token + "\n")
        stage.touch(ns, "back")
        wait_equal(expected, controller.peer, RECOVERY)


def says(controller, *words):
    text = controller.peer.health_text().lower()
    return all(word.lower() in text for word in words)


def without(rules, resource, verbs):
    """The rules with some verbs of one resource taken out."""
    out = []
    for rule in json.loads(json.dumps(rules)):
        others = [r for r in rule["resources"] if r != resource]
        if len(others) < len(rule["resources"]):
            left = [verb for verb in rule["verbs"] if verb not in verbs]
            if left:
                out.append({**rule, "resources": [resource], "verbs": left})
        if others:
            out.append({**rule, "resources": others})
    return out


class Denied:
    """A controller of its own account that lacks one verb of one resource."""

    def __init__(self, stage, verb, resource, ns):
        self.stage, self.verb, self.resource, self.ns = stage, verb, resource, ns
        self.account = stage.cluster.account(stage.home, f"no-{verb}-{resource}",
                                             without(CLUSTER_RULES, resource, [verb]))
        self.account.wait_allowed("list" if verb == "watch" else "watch", GROUPS[resource], resource)
        config = stage.cluster.kubeconfig(self.account.name, self.account.user())
        self.controller = stage.controller(config, name=self.account.name)

    def complaint(self):
        """What is wrong with how the denial is borne; None when nothing."""
        who = f"{self.verb} {self.resource}"
        try:
            wait_for(lambda: says(self.controller, "forbidden", self.verb, self.resource), 30, "a word of it")
        except LabError:
            return f"{who}: health does not name it: {self.controller.peer.health_text()[:400]}"
        expected = self.stage.expected([self.ns], [self.ns], skip=(self.resource,))
        without_it = {k: v for k, v in expected.picture().items() if k[0] != KINDS[self.resource]}
        missing = without_it.keys() - self.controller.peer.snapshot().keys()
        return f"{who}: the rest does not go on: {sorted(missing)[:3]} missing" if missing else None

    def recovery(self, deadline):
        try:
            wait_equal(self.stage.expected([self.ns], [self.ns]), self.controller.peer,
                       max(1, deadline - time.monotonic()))
            wait_for(lambda: not says(self.controller, "forbidden"), 35, "health without the denial")
        except (Wrong, LabError) as error:
            return f"{self.verb} {self.resource} after it was granted: {str(error)[:600]}"
        return None


@case("each verb of each resource denied: health names it, the rest goes on, and it recovers when granted")
def denied():
    with Stage() as stage, contextlib.ExitStack() as stack:
        ns = stage.space()
        stage.fill(ns)
        objects.put(stage.api, "routerules", ns, objects.route_rule())
        objects.put(stage.api, "mirrorpolicies", ns, objects.mirror_policy())
        objects.put(stage.api, "serviceentries", ns, objects.service_entry(stage.api, "entry"))
        runs = [Denied(stage, verb, resource, ns) for resource in GROUPS for verb in ("list", "watch")]
        for run in runs:
            stack.enter_context(run.controller)
            run.controller.peer.demand([ns], [ns])
        check_none([c for c in (run.complaint() for run in runs) if c], "denials")
        stage.api.patch("pods", ns, "httpbin-v1-0", {"metadata": {"labels": {"changed": "while-denied"}}})
        for run in runs:
            run.account.grant(CLUSTER_RULES)
        begin = time.monotonic()
        check_none([c for c in (run.recovery(begin + RECOVERY) for run in runs) if c], "recoveries")
        note(f"{len(runs)} denials; all recovered within {time.monotonic() - begin:.0f} s")
        for run in runs:
            run.controller.check_alive()
            run.controller.peer.check_faults()


@case("a right that is taken away while the controller runs: the last picture is kept")
def taken_away():
    with Stage() as stage, ApiFaults(stage.api, stage.cluster.authority) as proxy:
        through = stage.cluster.kubeconfig("taken", stage.account.user(), proxy.url, stage.cluster.authority.cert)
        with watched(stage, through) as (controller, expected, (ns,)):
            before = {k for k in controller.peer.snapshot() if k[0] == "Service"}
            stage.account.grant(without(CLUSTER_RULES, "services", ["list", "watch", "get"]))
            stage.account.wait_allowed("list", "", "services", allowed=False)
            proxy.cut()
            wait_for(lambda: says(controller, "forbidden", "services"), 30, "health to name services")
            check_equal({k for k in controller.peer.snapshot() if k[0] == "Service"}, before, "services meanwhile")
            stage.account.grant(CLUSTER_RULES)
            stage.touch(ns, "given-back")
            wait_equal(expected, controller.peer, RECOVERY)


@case("rights to leases and status denied: health names them, the picture is not touched by it")
def leases_and_status():
    with Stage() as stage, contextlib.ExitStack() as stack:
        ns = stage.space()
        stage.fill(ns)
        objects.put(stage.api, "routerules", ns, objects.route_rule())
        complaints = []
        for verb in ("get", "create", "update", "patch", "list", "watch"):
            account = stage.cluster.account(stage.home, f"no-{verb}-leases",
                                            lease_rules=without(LEASE_RULES, "leases", [verb]))
            config = stage.cluster.kubeconfig(account.name, account.user())
            node = f"{stage.node}-{verb}"
            controller = stack.enter_context(stage.controller(config, node=node, name=account.name))
            controller.peer.demand([ns], [ns])
            wait_equal(stage.expected([ns], [ns], node=node), controller.peer, 30)
            complaints.append((verb, controller))
        time.sleep(8)
        named = [verb for verb, controller in complaints if says(controller, "forbidden", "lease")]
        note(f"verbs of leases that the controller misses: {', '.join(named)}")
        check("create" in named and ("update" in named or "patch" in named),
              f"health names only {named}: {complaints[1][1].peer.health_text()[:600]}")


@case("the right to write status denied, of one kind and of the other: health names it, and the rest goes on")
def status_denied():
    verdict = {"holds": True, "reason": "Testing", "message": "said by a test"}
    for kind, resource in (("RouteRule", "routerules"), ("MirrorPolicy", "mirrorpolicies")):
        with Stage() as stage, contextlib.ExitStack() as stack:
            ns = stage.space()
            stage.fill(ns)
            objects.put(stage.api, "routerules", ns, objects.route_rule())
            objects.put(stage.api, "mirrorpolicies", ns, objects.mirror_policy())
            account = stage.cluster.account(stage.home, "no-status",
                                            without(CLUSTER_RULES, f"{resource}/status", ["patch"]))
            config = stage.cluster.kubeconfig(account.name, account.user())
            controller = stack.enter_context(stage.controller(config, name=account.name))
            controller.peer.demand([ns], [ns])
            wait_equal(stage.expected([ns], [ns]), controller.peer, 30)
            names = {"RouteRule": objects.RULE_NAME, "MirrorPolicy": "httpbin"}
            controller.peer.report([{"kind": k, "namespace": ns, "name": name, "generation": 1, "accepted": verdict,
                                     "resolved": verdict, "programmed": verdict, "origins": 1, "mirror_endpoints": 1}
                                    for k, name in names.items()])
            wait_for(lambda: says(controller, "patch", "status", kind, "403"), 30, f"health to name the status of {kind}")
            granted = "mirrorpolicies" if resource == "routerules" else "routerules"
            name = names["MirrorPolicy" if kind == "RouteRule" else "RouteRule"]
            wait_for(lambda: stage.api.get(granted, ns, name).get("status"), 30, f"the status of {granted}")
            stage.touch(ns, "after")
            wait_equal(stage.expected([ns], [ns]), controller.peer, 30)


if __name__ == "__main__":
    main()
