#!/usr/bin/python3
"""Every limit of `umbra limits`: forced on a running agent, v1's clients see nothing of it, what it sheds is counted
under the row's counter, the ledger closes, and the requests that are spared arrive exactly. And every row has a test.
"""
import json
import pathlib
import re

import compare
from agent import imbalances, umbra
from case import case, check, check_equal, check_none, main, need_command, need_module, note
from lab import Lab, wait_for
from overlap_player import ACK, SYN, Player
from peers import Driver, H2Recorder, Recorder, check_unharmed
from scene import setup_agent

TESTS = pathlib.Path(__file__).resolve().parents[1]
QUICK = ("--limit", "response_timeout=3s", "--workers", "1")

# NAME: every N-th check. Enough of them that some are reached, few enough that some requests are spared; v2 has two
# addresses, so that only a breaker that is always open leaves none.
ANY_REQUEST = {"flows": 3, "handshakes": 3, "reassembly_memory": 20, "flow_unacked": 20, "flow_hole": 40,
               "request_head": 20, "protocol_memory": 9, "flow_queue": 10, "flow_requests": 10, "queue_memory": 10,
               "connections": 3, "mirror_bandwidth": 10, "breaker_failures": 1, "chunk_extension": 2,
               "chunk_trailer": 9}
# Ordinary clients do not get there, or lose nothing by it; tests/unit/terminator counts what is lost.
HARMLESS = {"orphans": 1, "orphan_bytes": 1, "closed_flows": 1, "hold": 2, "flow_marks": 1, "flow_segments": 1,
            "flow_ooo": 1}
HTTP2 = {"http2_streams": 3, "header_list": 25, "header_block": 90, "flow_streams": 10}
SILENT = {"flow_idle", "flow_closing", "closed_wait", "server_wait", "hole_wait", "hold_time", "connection_idle",
          "breaker_first_pause", "breaker_pause"}
COUNTED_ELSEWHERE = ("-", "status: ")


def limits():
    done = umbra("limits", "-o", "json")
    check_equal(done.returncode, 0, f"exit of umbra limits: {done.stderr}")
    return {row["name"]: row for row in json.loads(done.stdout)}


def count(row, counter):
    return sum(row["dropped"].get(counter, {}).values())


class Stage:
    """v1 and v2 that record, and clients of all kinds; an agent for each limit."""

    def __init__(self, lab):
        self.lab, self.runs = lab, 0

    def run(self, *args, v2_mode=None, **options):
        """One agent, one load. Returns the ledger's row; clients, copies and the ledger are as they must be."""
        self.runs += 1
        v1, v2 = Recorder(self.lab, "v1"), Recorder(self.lab, "v2")
        if v2_mode:
            v2.mode(**v2_mode)
        with setup_agent(self.lab, *QUICK, *args) as agent:
            load = {"requests": 200, "connections": 6, "reconnect": 8, "max_body": 60000,
                    "mix": "single=6,split=2,large=2", "seed": str(self.runs), **options}
            driver = Driver(self.lab, self.lab.addr("v1"), tag=f"r{self.runs}", **load)
            result = driver.result()
            check_unharmed(result)
            sent = driver.sent()
            ledger = agent.settled_ledger(timeout=30)
            row = agent.rule(ledger)
            status = agent.json("status")
        at_v1, at_v2 = v1.requests(), v2.requests()
        for recorder in (v1, v2):
            recorder.kill()
        check_none(compare.identical(sent, at_v1, "v1"), f"{args}: the origin's requests")
        check_none(compare.honest(sent, at_v2, "v2"), f"{args}: the mirror's requests")
        if not v2_mode:
            check_equal(row["mirrored"]["requests"], len(at_v2), f"{args}: mirrored against the mirror's records")
        return row, status, len(at_v2)


@case("each limit that ordinary requests reach, forced now and then")
def forced():
    rows = limits()
    with Lab() as lab:
        stage = Stage(lab)
        for name, every in ANY_REQUEST.items():
            row, status, arrived = stage.run("--force", f"{name}={every}")
            counter = rows[name]["counter"]
            shown = {r["name"]: r["forced"] for r in status["limits"] if r["forced"]}
            check_equal(shown, {name: every}, "what status says is forced")
            check(count(row, counter) > 0, f"{name}: nothing dropped as {counter}: {row['dropped']}")
            check((arrived > 0) == (every > 1), f"{name}: {arrived} were spared: {row['dropped']}")
            note(f"{name}={every}: {arrived} of 200 mirrored, {counter}: {row['dropped'][counter]}")


@case("each limit that costs ordinary requests nothing, forced always, costs them nothing")
def harmless():
    with Lab() as lab:
        stage = Stage(lab)
        for name, every in HARMLESS.items():
            row, _, arrived = stage.run("--force", f"{name}={every}")
            check_equal(arrived, 200, f"{name}: requests at v2; dropped {row['dropped']}")


@case("each limit of time, as short as can be: what it ends is counted, the rest arrives exactly")
def times():
    rows = limits()
    with Lab() as lab:
        stage = Stage(lab)
        for name in sorted(SILENT):
            check_equal(rows[name]["forced_by"], f"--limit {name}=1ms", f"{name}: its switch")
            row, _, arrived = stage.run("--limit", f"{name}=1ms", requests=60, rate=100)
            note(f"{name}=1ms: {arrived} of 60 mirrored, dropped {sorted(row['dropped'])}")
        row, _, _ = stage.run("--limit", "response_timeout=1ms", v2_mode={"mode": "slow", "seconds": 0.3}, requests=60)
        check(count(row, "response_timeout") > 0, f"response_timeout: {row['dropped']}")
        lab.set_blackhole("v2", True)
        row, _, _ = stage.run("--limit", "connect_timeout=1ms", requests=60)
        check(count(row, "connect_timeout") > 0, f"connect_timeout: {row['dropped']}")
        lab.set_blackhole("v2", False)


@case("limits of a flow's order, forced on packets that come out of order")
def out_of_order():
    rows = limits()
    with Lab() as lab:
        Recorder(lab, "v2")
        player = Player(lab, "v1", lab.addr("v1"), lab.addr("client").rsplit(".", 1)[0] + ".77")
        for port, name in ((3000, "flow_segments"), (3010, "flow_ooo")):
            with setup_agent(lab, *QUICK, "--force", name) as agent:
                player.drain()
                player.send(port, -1, 0, SYN)
                ack = player.await_syn_ack(port)
                player.send(port, 0, ack, ACK)
                player.send(port, 10, ack, ACK, b"ahead")
                wait_for(lambda: count(agent.rule(agent.ledger()), rows[name]["counter"]), 10, f"{name} to be counted")
                check_none(imbalances(agent.ledger()), "the ledger does not close")
        player.close()


@case("limits of HTTP/2, forced now and then")
def http2():
    need_module("h2")
    need_command("nghttp", "h2load")
    rows = limits()
    with Lab() as lab:
        H2Recorder(lab, "v1")
        v2 = H2Recorder(lab, "v2")
        body = lab.dir / "body"
        body.write_bytes(b"b" * 100_000)
        url = f"http://{lab.addr('v1')}:8080"
        for name, every in HTTP2.items():
            before = v2.counts()["requests"]
            with setup_agent(lab, *QUICK, "--force", f"{name}={every}") as agent:
                for round_ in range(4):
                    lab.exec("client", ["h2load", "-n", "20", "-c", "2", "-m", "5", f"{url}/load{round_}"])
                    done = lab.exec("client", ["nghttp", "-nv", "-m", "5", "-d", body, f"{url}/body"])
                    check_equal(len(re.findall(r":status: 200", done.stdout)), 5, "answers that nghttp got")
                row = agent.rule(agent.settled_ledger(timeout=30))
            counter = rows[name]["counter"]
            check(count(row, counter) > 0, f"{name}: nothing dropped as {counter}: {row['dropped']}")
            check(v2.counts()["requests"] > before, f"{name}: nothing was spared: {row['dropped']}")
            note(f"{name}={every}: {row['mirrored']['requests']} mirrored, {counter}: {row['dropped'][counter]}")


@case("the kernel's limits, set as small as can be")
def kernel():
    rows = limits()
    with Lab() as lab:
        stage = Stage(lab)
        for limit in ("capture_queue=1", "server_ring=4k", "muted_flows=1", "own_connections=1"):
            name = limit.split("=")[0]
            check_equal(rows[name]["forced_by"], f"--limit {limit}", f"{name}: its switch")
            row, status, arrived = stage.run("--limit", limit)
            shown = {r["name"]: r["value"] for r in status["limits"]}
            check_equal(shown[name], limit.split("=")[1], f"{name} in status")
            if name == "capture_queue":
                check(row["kernel"]["dropped"].get("queue_full", {}).get("packets"), f"{row['kernel']}")
            note(f"{limit}: {arrived} of 200 mirrored")


@case("what is said of switches: the log at the start, status, and refusals that help")
def said():
    with Lab() as lab:
        Recorder(lab, "v1"), Recorder(lab, "v2")
        with setup_agent(lab, "--force", "flows=7", "--force", "hold") as agent:
            for text in ("force=flows=7", "force=hold"):
                check(text in agent.log(), f"the log does not say {text}:\n{agent.log()[-1000:]}")
            text = agent.call("status").stdout
            check("FORCED LIMIT flows: one check of 7" in text, f"status keeps it quiet:\n{text[:400]}")
    for args, hint in ((("--force", "flow_idle"), "--limit flow_idle=1ms"), (("--force", "nothing"), "umbra limits")):
        done = umbra("run", *args)
        check_equal(done.returncode, 2, f"{args}: exit")
        check(hint in done.stderr, f"{args}: no hint at {hint}: {done.stderr}")


def tagged():
    """Names that a test claims by a line `Limits: NAME, NAME.` right above it."""
    found = set()
    for path in [*TESTS.rglob("*_test.cpp"), *TESTS.glob("integration/*.py"), *TESTS.glob("kubernetes/*.py")]:
        for names in re.findall(r"^(?://|#) Limits: ([a-z0-9_, ]+)\.\n(?:TEST|INSTANTIATE|@case)", path.read_text(), re.M):
            found.update(names.split(", "))
    return found


@case("every row has a test, and every test a row")
def covered():
    rows = limits()
    switches = {name for name, row in rows.items() if row["forced_by"].startswith("--force ")}
    here = {*ANY_REQUEST, *HARMLESS, *HTTP2}
    check_equal(here, switches, "rows with --force, in the cases of this file")
    claimed = tagged()
    check_none(sorted(set(rows) - here - claimed), "rows without a test")
    check_none(sorted(claimed - set(rows)), "tests of rows that do not exist")
    for row in rows.values():
        check_none([key for key in ("name", "default", "action", "counter", "forced_by", "meaning") if not row[key]],
                   f"{row['name']}: empty columns")


if __name__ == "__main__":
    main()
