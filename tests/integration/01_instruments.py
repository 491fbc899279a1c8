#!/usr/bin/python3
"""The instruments can fail: recorder, driver and comparison notice every kind of damage. No agent is involved."""
import copy
import socket

import compare
import kernel_state
from battery import Load, Stand, damages, twice
from case import Skip, case, check, check_equal, check_none, main
from lab import PYTHON, Lab, wait_for
from overlap_player import in_namespace
from peers import Driver, Recorder, check_unharmed, drive


@case("what the recorder received is what the driver sent, over IPv4 and IPv6, through the forwarding node")
def recorder_sees_exact_bytes():
    for layout in ("routed", "bridge", "host"):
        with Lab(layout) as lab:
            v1 = Recorder(lab, "v1")
            for family in (4, 6):
                v1.do("reset")
                sent, _ = drive(lab, lab.addr("v1", family), requests=600, connections=4, tag=f"f{family}")
                check_none(compare.identical(sent, v1.requests(), "v1"), f"{layout}, IPv{family}")


@case("a missing, doubled, altered, swapped or foreign request is noticed")
def comparison_notices_damage():
    sent = [[["a-0", "x", 1], ["a-1", "y", 2]], [["b-0", "z", 3]]]
    good = [[1, "a-0", "x", 1], [2, "b-0", "z", 3], [1, "a-1", "y", 2]]
    check_none(compare.identical(sent, good, "good"), "equal records")
    damage = {
        "missing": lambda r: r.pop(1), "doubled": lambda r: r.append(r[1]), "swapped": lambda r: r.reverse(),
        "altered": lambda r: r[1].__setitem__(2, "q"), "shortened": lambda r: r[1].__setitem__(3, 2),
        "foreign": lambda r: r.append([2, "c-0", "x", 1]), "shared": lambda r: r[1].__setitem__(0, 1),
    }
    for name, harm in damage.items():
        bad = copy.deepcopy(good)
        harm(bad)
        check(compare.identical(sent, bad, "bad"), f"a {name} request was not noticed")


@case("the driver notices answers of the wrong server, wrong answers, and none")
def driver_notices_wrong_answers():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        for recorder, mode in ((v2, "normal"), (v1, "garbage"), (v1, "close_mid"), (v1, "hang"), (v1, "refuse")):
            recorder.mode(mode)
            result = Driver(lab, lab.addr(recorder.role), requests=3, connections=1, mix="single=1", timeout=1).result()
            check(result["failed"] == 3 and result["errors"], f"{recorder.name} in mode {mode}: {result}")


@case("the recorder's modes change what clients see and end again")
def recorder_modes():
    with Lab() as lab:
        v1 = Recorder(lab, "v1")
        for mode in ("close_each", "slow", "normal"):
            v1.mode(mode, seconds=0.01)
            result = Driver(lab, lab.addr("v1"), requests=5, connections=1, mix="single=1", tag=mode).result()
            check_equal(result["answered"], 5 if mode != "close_each" else result["answered"], mode)
        check_equal(v1.counts()["partial"], 0, "requests cut short")


@case("a black hole swallows packets, and ends")
def black_hole():
    with Lab() as lab:
        Recorder(lab, "v1")
        lab.set_blackhole("v1", True)
        result = Driver(lab, lab.addr("v1"), requests=1, connections=1, mix="single=1", timeout=0.5).result()
        check_equal(result["failed"], 1, "requests through the black hole")
        lab.set_blackhole("v1", False)
        check_unharmed(Driver(lab, lab.addr("v1"), requests=1, connections=1, mix="single=1").result())


@case("a left-over device, route, qdisc, filter or tcx program shows in the dump's differences")
def dump_notices_leftovers():
    with Lab() as lab:
        traces = {
            "device": ("ip", "link", "add", "left", "type", "bridge"),
            "tap": ("ip", "tuntap", "add", "mode", "tap", "name", "left2"),
            "route": ("ip", "route", "add", "10.99.0.0/16", "via", lab.addr("v1")),
            "qdisc": ("tc", "qdisc", "add", "dev", "to-v1", "clsact"),
        }
        for name, command in traces.items():
            before = kernel_state.dump(lab)
            check_none(kernel_state.differences(before, kernel_state.dump(lab)), "two dumps of the same state")
            lab.exec("node", command)
            check(kernel_state.differences(before, kernel_state.dump(lab)), f"a left-over {name} was not noticed")
        if not kernel_state.has_tcx():
            raise Skip("the kernel has no tcx")
        before = kernel_state.dump(lab)
        foreign = lab.spawn("node", [PYTHON, kernel_state.__file__, "to-v1"], "foreign")
        wait_for(lambda: "attached" in lab.log("foreign"), 5, "the foreign program")
        check(kernel_state.differences(before, kernel_state.dump(lab)), "a tcx program was not noticed")
        lab.kill(foreign)
        wait_for(lambda: kernel_state.dump(lab) == before, 3, "the end of the foreign program")


@case("the fast client and server: wrong servers and answers, altered, invented and doubled requests are noticed")
def fast_instruments():
    with Lab() as lab:
        other = Stand(lab, "v1", name="v2")
        for mode, cause in (("normal", "a wrong answer"), ("garbage", "closed by the server")):
            other.mode(mode)
            load = Load(lab, requests=3, rate=100, connections=1)
            if mode == "garbage":
                wait_for(lambda: other.requests() >= 4, 10, "a request that gets no answer")
                other.kill()
            result = load.figures()
            check_equal((result["failed"], result["error"]), (3 if mode == "normal" else result["failed"], cause), mode)
            check(result["failed"] and not load.records(), f"answers in mode {mode}: {result}")
    with Lab() as lab:
        v1 = Stand(lab, "v1")
        load = Load(lab, requests=50, rate=1000, connections=4)
        load.result()
        sent, got = load.records(), v1.records()
        check_none(damages(sent, got, "v1") + twice(got, "v1"), "equal records")
        check_equal(len(got), 50, "records of the server")
        check_equal(len(damages(sent, [got[0]._replace(digest=1), got[1]._replace(id=1)], "v1")), 2, "damages")
        check_equal(len(twice(got + got[:2], "v1")), 2, "doubled requests")
        with in_namespace(lab.ns("client")), socket.create_connection((lab.addr("v1"), 8080)) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            wait_for(lambda: len(damages(sent, v1.records(), "v1")) == 1, 5, "a record of what is no request of ours")


if __name__ == "__main__":
    main()
