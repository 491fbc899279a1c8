#!/usr/bin/python3
"""Faults between controller and API: whatever happens on the way, the picture becomes the API's again, and until then
the last good one is kept. Every change is written to the API directly, not through the proxy."""
import integration  # noqa: F401
import time

import api_faults
from api_faults import ApiFaults, Fault
from case import case, check, main, note
from fault_proxy import FaultProxy
from lab import wait_for
from picture import compare, wait_equal
from stage import Stage, watched

RESOURCES = ("pods", "services", "endpointslices", "routerules", "mirrorpolicies", "serviceentries", "namespaces")
SILENCE_LIMIT = 420  # seconds; a watch without a word is given up sooner


def tcp_fault(fault, heal=None, timeout=60, word="fault"):
    """Runs to a complete picture through a FaultProxy, does the fault, changes objects, and wants the picture true
    again after `heal`."""
    with Stage() as stage, FaultProxy(stage.api.host, stage.api.port) as proxy:
        through = stage.cluster.through(proxy, "tcp", stage.account.user())
        with watched(stage, through) as (controller, expected, (ns,)):
            fault(proxy)
            stage.touch(ns, word)
            if heal:
                check(compare(expected, controller.peer), "the fault did not keep the changes away")
                heal(proxy)
            begin = time.monotonic()
            wait_equal(expected, controller.peer, timeout)
            note(f"true again after {time.monotonic() - begin:.1f} s, {proxy.accepted} connections")
            check(controller.peer.synced, "synced is gone")


@case("all connections cut with a reset")
def cut():
    tcp_fault(FaultProxy.cut)


@case("the API refuses connections for three seconds")
def refused():
    def heal(proxy):
        time.sleep(3)
        proxy.heal()
    tcp_fault(lambda proxy: proxy.refuse(True), heal)


@case("connections that are open and silent for some seconds: what waited arrives, nothing is lost")
def short_stall():
    def heal(proxy):
        time.sleep(5)
        proxy.heal()
    tcp_fault(lambda proxy: proxy.stall(True), heal)


@case("the server's end of every connection closes orderly in the middle of its watches")
def half_closed():
    tcp_fault(FaultProxy.half_close)


@case("everything from the API 300 ms late")
def late():
    tcp_fault(lambda proxy: proxy.delay(0.3))


@case("64 kB per second from the API")
def slow():
    tcp_fault(lambda proxy: (proxy.throttle(65536), proxy.cut()), timeout=120)


@case("connections cut again and again for ten seconds")
def flapping():
    def fault(proxy):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            proxy.cut()
            time.sleep(0.2)
        note(f"{proxy.accepted} connections in 10 s of cutting")
        check(proxy.accepted < 400, "connections are tried again without a pause")
    tcp_fault(fault)


def http_fault(*faults, timeout=60, look=None):
    """The same through ApiFaults: the running watches end, the faults take what is asked next."""
    with Stage() as stage, ApiFaults(stage.api, stage.cluster.authority) as proxy:
        through = stage.cluster.kubeconfig("http", stage.account.user(), proxy.url, stage.cluster.authority.cert)
        with watched(stage, through) as (controller, expected, (ns,)):
            before = proxy.now()
            for fault in faults:
                proxy.add(fault)
            proxy.cut()
            stage.touch(ns, "http")

            def happened():
                if all(fault.hits for fault in faults):
                    return True
                proxy.cut()  # a watch that was just beginning
                return False
            wait_for(happened, timeout, "every fault to happen", step=1)
            wait_equal(expected, controller.peer, timeout)
            check(controller.peer.synced, "synced is gone")
            if look:
                look(controller, proxy, before)


@case("410 as an ERROR event in a 200, for every resource: listed again")
def gone_event():
    def look(_controller, proxy, before):
        for resource in RESOURCES[:6]:
            wait_for(lambda: proxy.asked("list", resource, before), 20, f"a new list of {resource} after 410")
    http_fault(*[Fault(api_faults.error_event(), r, "watch") for r in RESOURCES[:6]], look=look)


@case("410 as the answer to a watch, then to the list that follows")
def gone_answers():
    http_fault(Fault(api_faults.status(410, "Expired"), "pods", "watch"),
               Fault(api_faults.status(410, "Expired"), "pods", "list"),
               Fault(api_faults.status(410, "Gone"), "services", "watch", times=3))


@case("429 with Retry-After is obeyed")
def too_many():
    def look(_controller, proxy, before):
        def times():
            return [e[0] for e in proxy.asked(None, "pods", before) if "fieldSelector" in e[3]]
        wait_for(lambda: len(times()) >= 2, 20, "the request after the 429")
        first, second = times()[:2]
        check(second - first >= 2.9, f"asked again after {second - first:.1f} s in spite of Retry-After: 3")
    http_fault(Fault(api_faults.status(429, "TooManyRequests", retry_after=3), "pods",
                     where=lambda query: "fieldSelector" in query), look=look)


@case("500 and 503 many times: tried again with growing pauses")
def errors():
    def look(_controller, proxy, before):
        times = [t for t, *_ in proxy.asked(None, "services", before)]
        gaps = [b - a for a, b in zip(times, times[1:])]
        note(f"pauses {', '.join(f'{gap:.1f}' for gap in gaps[:8])} s")
        check(max(gaps[:7]) > 3 * min(gaps[:7]), f"the pauses do not grow: {gaps}")
    http_fault(Fault(api_faults.status(500, "InternalError"), "services", times=4),
               Fault(api_faults.status(503, "ServiceUnavailable"), "services", times=2),
               Fault(api_faults.status(500, "InternalError"), "endpointslices", "watch", times=2), timeout=120, look=look)


@case("garbage, a truncated chunk and a stream that ends early, in lists and watches")
def garbage():
    http_fault(Fault(api_faults.garbage(), "pods", "watch"), Fault(api_faults.garbage(), "services", "watch"),
               Fault(api_faults.truncated_chunk(), "endpointslices", "watch", times=2),
               Fault(api_faults.stream(b'{"type":"ADDED","obj', end=False), "routerules", "watch"),
               Fault(api_faults.stream(b"null\n[]\n7\n{}\n"), "mirrorpolicies", "watch"),
               Fault(api_faults.garbage(), "pods", "list", times=2),
               Fault(api_faults.error_event(), "services", "watch"),
               Fault(api_faults.truncated_chunk(), "services", "list"))


@case("a list without an end is given up, and memory stays bounded")
def endless():
    def look(controller, _proxy, _before):
        now, most = controller.memory()
        note(f"resident {now >> 20} MiB, at most {most >> 20} MiB")
        check(most < 512 << 20, f"{most >> 20} MiB resident")
    http_fault(Fault(api_faults.error_event(), "pods", "watch"), Fault(api_faults.huge(600), "pods", "list"),
               timeout=180, look=look)


@case("a watch whose line has no end is given up, and memory stays bounded")
def endless_line():
    def look(controller, _proxy, _before):
        _, most = controller.memory()
        check(most < 512 << 20, f"{most >> 20} MiB resident")
    http_fault(Fault(api_faults.huge(600, b"x" * 65536), "services", "watch"), timeout=180, look=look)


@case("401 once: the token is read again and the work goes on")
def unauthorized():
    http_fault(*[Fault(api_faults.status(401, "Unauthorized"), r) for r in RESOURCES[:6]])


@case("403 for a while, as when the API server's authorizer is not ready: the picture is kept")
def forbidden_for_a_while():
    http_fault(Fault(api_faults.status(403, "Forbidden"), "pods", times=2),
               Fault(api_faults.status(404, "NotFound"), "services", times=1), timeout=90)


@case("connections that fall silent for good are found by timeout while new ones work")
def dead_connections():
    tcp_fault(FaultProxy.abandon, timeout=SILENCE_LIMIT)


if __name__ == "__main__":
    main()
