#!/usr/bin/python3
"""The instruments notice damage and do damage: without Umbra, with the API server alone."""
import integration  # noqa: F401
import http.client
import json
import socket
import threading
import time

import api_client
import api_faults
import objects
from api_faults import ApiFaults, Fault
from api_server import ADMIN_TOKEN
from case import Wrong, case, check, check_equal, main
from fault_proxy import FaultProxy
from feed_peer import FeedPeer
from picture import differences, essence
from stage import Stage


def client(stage, url, ca=None, timeout=3):
    return api_client.ApiClient(url, ca or stage.cluster.ca, stage.account.token_file.read_text(), timeout=timeout,
                                name=None if stage.cluster.own else stage.cluster.name or stage.api.host)


def fails(action):
    try:
        action()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return error
    raise Wrong("the request went through")


@case("the TCP proxy cuts, refuses, stalls, half-closes, delays and throttles a client of the real API")
def tcp_proxy():
    with Stage(crds=()) as stage, FaultProxy(stage.api.host, stage.api.port) as proxy:
        api = client(stage, proxy.url)
        api.list("pods")
        check_equal(proxy.connections(), 1, "connections")
        check_equal(proxy.cut(), 1, "connections that were cut")
        api.list("pods")
        check_equal(proxy.accepted, 2, "connections, after the client came again")
        proxy.refuse(True)
        fails(lambda: api.list("pods"))
        proxy.heal()
        api.list("pods")
        proxy.stall(True)
        check(isinstance(fails(lambda: api.list("pods")), TimeoutError), "a stalled connection is not silent")
        proxy.stall(False)
        api.list("pods")
        proxy.half_close()
        api.list("pods")
        proxy.delay(0.3)
        begin = time.monotonic()
        api.list("pods")
        check(time.monotonic() - begin >= 0.3, "the delay did not happen")
        proxy.delay(0)
        proxy.throttle(2000)
        api.timeout, begin, before = 30, time.monotonic(), proxy.bytes_down
        api.drop_connection()
        api.list("namespaces")
        took, size = time.monotonic() - begin, proxy.bytes_down - before
        check(took >= 0.8 * size / 2000, f"{size} bytes in {took:.2f} s in spite of 2000 bytes per second")


@case("the HTTP proxy forwards lists, watches and writes, and answers by script where it was told to")
def http_proxy():
    with Stage(crds=()) as stage, ApiFaults(stage.api, stage.cluster.authority) as proxy:
        ns = stage.space()
        api = client(stage, proxy.url, stage.cluster.authority.cert)
        api.name = "127.0.0.1"
        check_equal(api.list("pods", ns), [], "pods")
        proxy.add(Fault(api_faults.status(429, retry_after=7), "pods", "list"))
        try:
            api.list("pods", ns)
            raise Wrong("the fault did not happen")
        except api_client.ApiError as error:
            check_equal(error.status, 429, "status")
        api.list("pods", ns)
        proxy.add(Fault(api_faults.error_event(), "pods", "watch"))
        link = api._link()
        link.request("GET", f"/api/v1/namespaces/{ns}/pods?watch=1", headers={"Authorization": f"Bearer {api.token}"})
        event = json.loads(link.getresponse().read())
        check_equal((event["type"], event["object"]["code"]), ("ERROR", 410), "the event")
        objects.create_pod(stage.api, ns, "one", "nowhere", ["10.1.1.1"])
        link.request("GET", f"/api/v1/namespaces/{ns}/pods?watch=1&resourceVersion=0",
                     headers={"Authorization": f"Bearer {api.token}"})
        line = link.getresponse().readline()
        check_equal(json.loads(line)["object"]["metadata"]["name"], "one", "an object that passes through")
        for answer in (api_faults.garbage(), api_faults.truncated_chunk()):
            proxy.add(Fault(answer, "services", "list", times=2))  # the client tries a broken connection twice
            fails(lambda: api.list("services", ns))
            proxy.clear()
            api.drop_connection()
        codes = [entry[4] for entry in proxy.asked("list", "pods")]
        check_equal(codes, [200, 429, 200], "the log of lists")


def frame(message):
    body = json.dumps(message).encode()
    return len(body).to_bytes(4, "big") + body


def changes(objects_=(), deleted=(), reset=False, synced=False, health=None):
    return frame({"changes": {"reset": reset, "synced": synced, "objects": list(objects_), "deleted": list(deleted),
                              "health": health}})


def thing(name, kind="Service"):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "a", "uid": name}}


@case("the feed's peer paints the picture, sweeps after a reset and notices a controller that breaks the contract")
def feed_peer():
    with Stage(crds=()) as stage, FeedPeer(stage.cluster.dir / "peer.sock") as peer:
        def connect():
            link = socket.socket(socket.AF_UNIX)
            link.connect(peer.path)
            peer.wait_connection(peer.connections or 1)
            return link

        def settle(frames):
            deadline = time.monotonic() + 5
            while peer.frames < frames and time.monotonic() < deadline:
                time.sleep(0.01)
        link = connect()
        link.sendall(changes([thing("x"), thing("y")], reset=True) + changes([thing("z")], synced=True))
        link.sendall(changes(deleted=[{"kind": "Service", "namespace": "a", "name": "x"}], synced=True))
        settle(3)
        check_equal(sorted(name for _, _, name in peer.snapshot()), ["y", "z"], "names")
        peer.check_faults()
        link.close()
        link = connect()
        link.sendall(changes([thing("z")], reset=True, synced=False))
        settle(4)
        check_equal(len(peer.snapshot()), 2, "objects before the second picture is complete")
        link.sendall(changes(synced=True))
        settle(5)
        check_equal([name for _, _, name in peer.snapshot()], ["z"], "names after it")
        link.sendall(changes(synced=False))
        settle(6)
        check_equal(len(peer.faults), 1, f"breaches of the contract {peer.faults}")


@case("the comparison of pictures finds what is missing, too much and different, and nothing in equal ones")
def comparison():
    one = objects.pod("p", "n", {"a": "b"})
    other = json.loads(json.dumps(one))
    key = ("Pod", "", "p")
    check_equal(differences({key: essence(one)}, {key: essence(other)}), [], "differences of equal pictures")
    other["metadata"]["labels"]["a"] = "c"
    check_equal(len(differences({key: essence(one)}, {key: essence(other)})), 1, "after a label changed")
    check_equal(len(differences({key: 1}, {("Pod", "", "q"): 1})), 2, "missing and too much")


@case("the server keeps what it has through kill -9, denies what RBAC denies, and answers 410 after a compaction")
def server():
    with Stage(own=True) as stage:
        ns, own = stage.space(), stage.cluster.own
        objects.create_pod(stage.api, ns, "one", stage.node, ["10.1.1.1"])
        api = client(stage, own.url)
        check_equal(len(api.list("pods", ns)), 1, "pods that the account sees")
        try:
            api.list("serviceaccounts", ns)
            raise Wrong("RBAC is off")
        except api_client.ApiError as error:
            check(error.status == 403 and "cannot list" in str(error), f"the refusal reads {error}")
        old = stage.api.call("GET", api.path("routerules"))["metadata"]["resourceVersion"]
        objects.put(stage.api, "routerules", ns, objects.route_rule())
        own.compact()
        own.restart()
        check_equal(len(stage.api.list("pods", ns)), 1, "pods after the restart")
        check("410" in watch_once(stage.api, f"{api.path('routerules')}?watch=1&resourceVersion={old}"),
              "a watch from a version before the compaction does not answer 410")


def watch_once(api, path):
    """The first line of a watch."""
    link = api._link()
    timer = threading.Timer(10, api.drop_connection)
    timer.start()
    try:
        link.request("GET", path, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
        return link.getresponse().readline().decode()
    finally:
        timer.cancel()
        api.drop_connection()


if __name__ == "__main__":
    main()
