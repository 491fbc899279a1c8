#!/usr/bin/python3
"""The agent killed and restarted under load, and started under connections that are already open."""
import time

import compare
import kernel_state
from agent import dropped_requests
from case import case, check, check_equal, check_none, main, note
from lab import Lab
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent


def no_tcx(lab):
    attached = {d: hooks for d, hooks in kernel_state.tcx(lab).items() if hooks["ingress"] or hooks["egress"]}
    check_equal(attached, {}, "tcx programs on the node's devices")


@case("SIGKILL and restart, five times under load: v1 fails nothing, nothing of ours is in the kernel in between")
def killed_under_load():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        load = Driver(lab, lab.addr("v1"), seconds=120, connections=8, rate=400, mix="single=10,split=5,large=1",
                      reconnect=300)
        before = kernel_state.dump(lab)
        agent = setup_agent(lab)
        for turn in range(5):
            agent.start()
            count = v2.counts()["requests"]
            wait_requests([v2], count + 100, timeout=10)
            check(v2.counts()["requests"] >= count + 100, f"turn {turn}: nothing was mirrored\n{agent.log()[-3000:]}")
            if turn % 2:
                agent.kill_all()
            else:
                agent.kill_main()
            agent.check_gone()
            no_tcx(lab)
            check_none(kernel_state.differences(before, kernel_state.dump(lab)), "left behind on the node")
        result = load.end()
        check_unharmed(result)
        sent = load.sent()
        check_none(compare.identical(sent, v1.requests(), "v1"), "the origin's requests")
        check_none(compare.altered(sent, v2.requests(), "v2"), "the mirror's requests")
        note(f"{result['answered']} answered by v1, 0 failed; {v2.counts()['requests']} mirrored over 5 lives")


def joins(mode_args, mix, minimum):
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        load = Driver(lab, lab.addr("v1"), seconds=120, connections=8, rate=400, mix=mix)
        wait_requests([v1], 200, timeout=10)
        with setup_agent(lab, *mode_args) as agent:
            wait_requests([v2], minimum, timeout=10)
            result = load.end()
            check_unharmed(result)
            check_equal(result["connects"], 8, "connections of the client")
            row = agent.rule(agent.settled_ledger())
        sent, at_v2 = load.sent(), v2.requests()
        check_none(compare.honest(sent, at_v2, "v2"), "the mirror's requests")
        check(len(at_v2) >= minimum, f"only {len(at_v2)} requests were mirrored; dropped {row['dropped']}")
        check_equal(row["mirrored"]["requests"], len(at_v2), "mirrored requests against the mirror's records")
        last = [connection[-1][0] for connection in sent]
        got = {entry[1] for entry in at_v2}
        joined = sum(request_id in got for request_id in last)
        note(f"{joined} of 8 open connections joined, {len(at_v2)} requests mirrored, dropped {row['dropped']}")
        skipped = sum(d["flows"] + d["requests"] + d["bytes"] for r, d in row["dropped"].items() if r == "midstream")
        check(joined == 8 or skipped, "a connection was neither joined nor counted as skipped")


@case("HTTP/1 connections that are open before the start are joined at a request boundary")
def joins_open_connections():
    joins((), "single=1", 300)


@case("the same while bodies full of request-like text are on the way: never a body as a request")
def joins_between_bodies():
    joins((), "single=1,split=1,large=3", 50)


@case("a restart by SIGTERM loses nothing of what was sent after the new start on new connections")
def clean_restart():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        agent = setup_agent(lab).start()
        check_equal(agent.stop(), 0, "exit code on SIGTERM")
        begin = time.monotonic()
        with agent:
            note(f"ready again after {time.monotonic() - begin:.2f} s")
            load = Driver(lab, lab.addr("v1"), requests=500, connections=8)
            check_unharmed(load.result())
            wait_requests([v2], v1.counts()["requests"])
            check_none(compare.identical(load.sent(), v2.requests(), "v2"), "the mirror's requests")
            row = agent.rule(agent.settled_ledger())
            check_equal(dropped_requests(row), {}, "dropped requests")


if __name__ == "__main__":
    main()
