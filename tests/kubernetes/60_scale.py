#!/usr/bin/python3
"""10,000 pods, 500 Services, 100 changes per second: what the controller needs for that. Needs a server of its own."""
import integration  # noqa: F401
import concurrent.futures
import os
import statistics
import threading
import time

import objects
from case import case, check, check_equal, main, note
from picture import wait_equal
from stage import Stage

PODS = int(os.environ.get("UMBRA_TEST_PODS", "10000"))
SERVICES = int(os.environ.get("UMBRA_TEST_SERVICES", "500"))
SPACES = 10
RATE, SECONDS = 100, 30
MOST_MEMORY = 512 << 20
MARK = "umbra-test/mark"


def address(number):
    return f"10.{20 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


def populate(stage, spaces):
    """Pods spread over the namespaces, each of a service with one slice; a hundred of them on the controller's node."""
    api, each = stage.api, PODS // SERVICES

    def service(number):
        ns, name = spaces[number % SPACES], f"svc-{number}"
        endpoints = []
        for index in range(number * each, (number + 1) * each):
            node = stage.node if index % 100 == 0 else f"node-{index % 97}"
            objects.create_pod(api, ns, f"pod-{index}", node, [address(index)], {"app": name, MARK: "0"})
            endpoints.append(objects.Endpoint([address(index)], f"pod-{index}", node))
        objects.put(api, "services", ns, objects.service(name))
        objects.put(api, "endpointslices", ns, objects.endpoint_slice(api, f"{name}-1", name, endpoints, ns=ns))
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(service, range(SERVICES)))
    note(f"{PODS} pods and {SERVICES} services written in {time.monotonic() - begin:.0f} s")


class Churn:
    """Changes of single pods at a fixed rate; measures the time from sending each write to its object on the feed."""

    def __init__(self, stage, spaces, peer):
        self.stage, self.spaces = stage, spaces
        self.sent, self.lags, self.lock = {}, [], threading.Lock()
        peer.seen = self.take

    def take(self, obj, now):
        mark = (obj["metadata"].get("labels") or {}).get(MARK)
        with self.lock:
            begin = self.sent.pop((obj["metadata"]["name"], mark), None)
            if begin is not None:
                self.lags.append(now - begin)

    def change(self, number):
        index = (number * 37) % PODS
        service = index // (PODS // SERVICES)
        name, mark = f"pod-{index}", str(number + 1)
        with self.lock:
            self.sent[(name, mark)] = time.monotonic()
        self.stage.api.patch("pods", self.spaces[service % SPACES], name, {"metadata": {"labels": {MARK: mark}}})

    def run(self):
        """Returns the rate that was reached."""
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            futures = []
            for number in range(RATE * SECONDS):
                pause = begin + number / RATE - time.monotonic()
                if pause > 0:
                    time.sleep(pause)
                futures.append(pool.submit(self.change, number))
            for future in futures:
                future.result()
        return RATE * SECONDS / (time.monotonic() - begin)


@case(f"{PODS} pods and {SERVICES} services with {RATE} changes/s for {SECONDS} s: complete, and memory is bounded")
def many():
    with Stage(own=True) as stage:
        spaces = [stage.space(f"s{number}") for number in range(SPACES)]
        populate(stage, spaces)
        stage.spaces.clear()  # the server goes with this file; deleting all of it one by one would take minutes
        with stage.controller() as controller:
            begin = time.monotonic()
            controller.peer.demand(pod_namespaces=spaces, everything=True)
            expected = stage.expected(pod_namespaces=spaces, everything=True)
            controller.peer.wait_synced(120)
            note(f"first picture after {time.monotonic() - begin:.1f} s, {controller.peer.frames} frames, "
                 f"{controller.peer.bytes >> 20} MiB; {controller.memory()[1] >> 20} MiB resident at most, "
                 f"{controller.cpu():.1f} s CPU")
            wait_equal(expected, controller.peer, 60)
            churn, spent = Churn(stage, spaces, controller.peer), controller.cpu()
            rate = churn.run()
            wait_equal(expected, controller.peer, 60)
            lags = sorted(churn.lags)
            check_equal(len(churn.sent), 0, "changes that were never seen on the feed")
            now, most = controller.memory()
            note(f"{rate:.0f} changes/s; lag p50 {statistics.median(lags) * 1e3:.1f} ms, "
                 f"p99 {lags[int(len(lags) * 0.99)] * 1e3:.1f} ms, most {lags[-1] * 1e3:.1f} ms; "
                 f"{(controller.cpu() - spent) / SECONDS * 100:.1f} % of a core; "
                 f"{now >> 20} MiB resident, {most >> 20} MiB at most")
            check(most < MOST_MEMORY, f"{most >> 20} MiB resident")
            stage.cluster.own.restart()
            begin = time.monotonic()
            wait_equal(expected, controller.peer, 120)
            note(f"true again {time.monotonic() - begin:.1f} s after the server was ready; "
                 f"{controller.memory()[1] >> 20} MiB at most")
            check(controller.memory()[1] < MOST_MEMORY, f"{controller.memory()[1] >> 20} MiB resident at most")
            controller.check_alive()


if __name__ == "__main__":
    main()
