#!/usr/bin/python3
"""The API server ends and comes again, and its store forgets: with a server of our own."""
import integration  # noqa: F401
import signal
import time

import objects
from case import case, check, check_equal, main, note
from fault_proxy import FaultProxy
from picture import compare, wait_equal
from stage import Stage, watched


def restarted(sig, pause):
    with Stage(own=True) as stage, watched(stage) as (controller, expected, (ns,)):
        own = stage.cluster.own
        before = controller.peer.snapshot()
        own.stop(sig)
        time.sleep(pause)
        controller.check_alive()
        check_equal(controller.peer.snapshot(), before, "the picture while the API is away")
        check(controller.peer.synced, "synced is gone")
        own.start()
        stage.touch(ns, "again")
        begin = time.monotonic()
        wait_equal(expected, controller.peer, 60)
        note(f"true again {time.monotonic() - begin:.1f} s after the server was ready")
        stage.touch(ns, "and-again")
        wait_equal(expected, controller.peer)


@case("the API server is killed and comes again: the picture is kept, then true")
def killed():
    restarted(signal.SIGKILL, 4)


@case("the API server ends orderly and comes again")
def ended():
    restarted(signal.SIGTERM, 1)


@case("the API server is stopped (SIGSTOP) for some seconds")
def frozen():
    with Stage(own=True) as stage, watched(stage) as (controller, expected, (ns,)):
        child = stage.cluster.own.server
        child.send_signal(signal.SIGSTOP)
        time.sleep(6)
        child.send_signal(signal.SIGCONT)
        stage.touch(ns, "frozen")
        wait_equal(expected, controller.peer, 60)


@case("a real 410: the store is compacted while the controller is cut off, its versions are gone")
def compacted():
    with Stage(own=True) as stage, FaultProxy(stage.api.host, stage.api.port) as proxy:
        own, api = stage.cluster.own, stage.api
        through = stage.cluster.through(proxy, "compact", stage.account.user())
        with watched(stage, through) as (controller, expected, (ns,)):
            for name in ("kept", "dropped"):
                objects.put(api, "routerules", ns, objects.route_rule(name))
            wait_equal(expected, controller.peer)
            proxy.refuse(True)
            api.delete("routerules", ns, "dropped")
            objects.put(api, "routerules", ns, objects.route_rule("kept", precedence=13))
            objects.put(api, "routerules", ns, objects.route_rule("fresh"))
            stage.touch(ns, "compact")
            check(compare(expected, controller.peer), "the controller is not cut off")
            own.restart()  # watch caches begin anew, at versions after those that the controller has
            own.compact()
            for number in range(3):
                objects.put(api, "routerules", ns, objects.route_rule("fresh", precedence=20 + number))
            own.compact()
            own.restart()
            proxy.heal()
            wait_equal(expected, controller.peer, 60)
            check(controller.peer.get("RouteRule", ns, "dropped") is None, "a deleted rule came through a 410")
            check_equal(controller.peer.resets, 1, "resets of the feed")


if __name__ == "__main__":
    main()
