#!/usr/bin/python3
"""The controller's picture of the API: what the loader is told equals what the API has, from the first list on."""
import integration  # noqa: F401
import concurrent.futures
import time

import objects
from api_faults import ApiFaults
from case import case, check, check_equal, main, note
from controller import Controller
from fault_proxy import FaultProxy
from picture import wait_equal
from stage import Stage, watched

PODS = 1100  # more than two pages of 500


@case("the first lists come in pages, and together they are the whole picture")
def pages():
    with Stage() as stage, ApiFaults(stage.api, stage.cluster.authority) as proxy:
        stage.cluster.need_own()
        ns = stage.space()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: stage.api.create("pods", ns, objects.pod(f"p{n}", "elsewhere")), range(PODS)))
        through = stage.cluster.kubeconfig("pages", stage.account.user(), proxy.url, stage.cluster.authority.cert)
        with stage.controller(through) as controller:
            controller.peer.demand([ns], [ns])
            wait_equal(stage.expected([ns], [ns]), controller.peer, 30)
            controller.peer.wait_synced()
            lists = [query for _, _, _, query, _ in proxy.asked("list", "pods") if "continue" in query]
            check(len(lists) >= 2, f"{len(lists)} further pages of {PODS} pods")
            note(f"{len(lists)} further pages, {controller.peer.frames} frames, at most "
                 f"{controller.peer.most_objects} objects and {controller.peer.most_bytes} bytes in one")
            unlimited = [e for e in proxy.asked("list") if "limit" not in e[3] and e[2] != "version"]
            check_equal(unlimited, [], "lists without a limit")
            watches = proxy.asked("watch")
            check(watches and all(query.get("allowWatchBookmarks") in ("true", "1") and query.get("timeoutSeconds")
                                  for *_, query, _ in watches), f"a watch without bookmarks or timeout: {watches[:3]}")


@case("adds, changes and deletes of every kind reach the loader")
def every_change():
    with Stage() as stage, watched(stage) as (controller, expected, (ns,)):
        api = stage.api
        for mark in ("one", "two"):
            stage.touch(ns, mark)
            wait_equal(expected, controller.peer)
        for resource, body in (("routerules", objects.route_rule()), ("mirrorpolicies", objects.mirror_policy()),
                               ("serviceentries", objects.service_entry(api, "entry"))):
            objects.put(api, resource, ns, body)
            wait_equal(expected, controller.peer)
        rule = objects.route_rule(precedence=12)
        objects.put(api, "routerules", ns, rule)
        objects.put(api, "mirrorpolicies", ns, objects.mirror_policy(percent=50))
        wait_equal(expected, controller.peer)
        check_equal(controller.peer.get("RouteRule", ns, objects.RULE_NAME)["spec"]["precedence"], 12, "precedence")
        objects.delete_all(api, ns)
        wait_equal(expected, controller.peer)
        check_equal([key for key in controller.peer.snapshot() if key[1] == ns], [], "objects after all were deleted")


@case("a pod that is being deleted is told as terminating, and its end as deleted")
def terminating():
    with Stage() as stage, watched(stage) as (controller, expected, (ns,)):
        stage.api.delete("pods", ns, "httpbin-v1-0", grace=30)
        wait_equal(expected, controller.peer)
        pod = controller.peer.get("Pod", ns, "httpbin-v1-0")
        check(pod and pod["metadata"].get("deletionTimestamp"), f"the terminating pod reads {pod}")
        stage.api.delete("pods", ns, "httpbin-v1-0", grace=0)
        wait_equal(expected, controller.peer)


@case("pods of other nodes come only where their namespace is demanded, services only from demanded namespaces")
def only_what_is_demanded():
    with Stage() as stage:
        spaces = [stage.space("a"), stage.space("b"), stage.space("c")]
        for ns in spaces:
            stage.fill(ns)
        with stage.controller() as controller:
            peer = controller.peer
            for namespaces, pod_namespaces in (((), ()), (spaces[:1], ()), (spaces[:2], spaces[:1]),
                                               (spaces, spaces), (spaces[2:], spaces[1:2])):
                peer.demand(namespaces, pod_namespaces)
                wait_equal(stage.expected(namespaces, pod_namespaces), peer)
            peer.demand(everything=True)
            wait_equal(stage.expected(everything=True), peer)


@case("a loader that comes again is told everything anew, without what went in the meantime")
def loader_again():
    with Stage() as stage, watched(stage) as (controller, expected, (ns,)):
        peer = controller.peer
        for round_number in range(3):
            peer.drop()
            stage.api.delete("services", ns, "gone")
            stage.touch(ns, f"round{round_number}")
            peer.wait_connection(round_number + 2)
            peer.wait_synced()
            wait_equal(expected, peer)
        check_equal(peer.resets, 4, "resets for four connections")


@case("frames that are none end the connection, not the controller")
def broken_frames():
    with Stage() as stage, watched(stage) as (controller, expected, (ns,)):
        peer = controller.peer
        for data in (b"\x7f\xff\xff\xffxx", b"\x00\x00\x00\x04nope", b'\x00\x00\x00\x0d{"demand":1.}'):
            before = peer.connections
            peer.send_raw(data)
            peer.wait_connection(before + 1)
            peer.wait_synced()
            wait_equal(expected, peer)
        for message in (b"{}", b'{"report":null}', b'{"demand":{"namespaces":7}}', b'{"more":[]}'):
            peer.send_raw(len(message).to_bytes(4, "big") + message)
        stage.touch(ns, "frames")
        wait_equal(expected, peer)
        controller.check_alive()


@case("kinds that are not installed are no trouble; once they are, their objects come")
def kinds_later():
    with Stage(crds=(), own=True) as stage:
        for resource in ("routerules", "mirrorpolicies", "serviceentries"):
            stage.cluster.remove_crd(resource)
        ns = stage.space()
        stage.fill(ns)
        absent = ("routerules", "mirrorpolicies", "serviceentries")
        with stage.controller() as controller:
            controller.peer.demand([ns], [ns])
            controller.peer.wait_synced(30)
            wait_equal(stage.expected([ns], [ns], skip=absent), controller.peer)
            stage.cluster.install_crds()
            objects.put(stage.api, "routerules", ns, objects.route_rule())
            objects.put(stage.api, "mirrorpolicies", ns, objects.mirror_policy())
            objects.put(stage.api, "serviceentries", ns, objects.service_entry(stage.api, "entry"))
            begin = time.monotonic()
            wait_equal(stage.expected([ns], [ns]), controller.peer, 60)
            note(f"objects of the new kinds after {time.monotonic() - begin:.1f} s")
            check(controller.peer.synced, "synced is gone")


@case("the API is away at the start: no picture is claimed; once it is there, the picture comes")
def api_later():
    with Stage() as stage, FaultProxy(stage.api.host, stage.api.port) as proxy:
        proxy.refuse(True)
        ns = stage.space()
        stage.fill(ns)
        through = stage.cluster.through(proxy, "later", stage.account.user())
        with stage.controller(through) as controller:
            controller.peer.demand([ns], [ns])
            controller.peer.wait_connection(1)
            time.sleep(3)
            controller.check_alive()
            check(not controller.peer.synced, "synced without an API")
            check(controller.peer.health is not None, "no word of health")
            proxy.heal()
            wait_equal(stage.expected([ns], [ns]), controller.peer, 60)
            controller.peer.wait_synced()


@case("a client certificate serves as well as a token")
def client_certificate():
    with Stage(own=True) as stage:
        own = stage.cluster.own
        user = {"client-certificate": str(own.admin_cert), "client-key": str(own.admin_key)}
        for path in (own.admin_cert, own.admin_key, own.authority.cert):
            path.chmod(0o644)
        with watched(stage, stage.cluster.kubeconfig("cert", user)) as (controller, expected, (ns,)):
            stage.touch(ns, "cert")
            wait_equal(expected, controller.peer)


@case("a server with a certificate of another authority is not believed")
def wrong_authority():
    with Stage() as stage, ApiFaults(stage.api, stage.cluster.authority) as proxy:
        import api_server
        other = api_server.Authority(stage.cluster.dir, "other")
        through = stage.cluster.kubeconfig("other", stage.account.user(), proxy.url, other.cert)
        with Controller(through, stage.node, stage.home) as controller:
            controller.peer.demand()
            controller.peer.wait_connection(1)
            time.sleep(3)
            check(not controller.peer.synced, "synced through a stranger")
            check_equal(proxy.asked(), [], "requests that the stranger got")
            check("certificate" in controller.peer.health_text().lower(),
                  f"health says nothing of the certificate: {controller.peer.health_text()[:600]}")


if __name__ == "__main__":
    main()
