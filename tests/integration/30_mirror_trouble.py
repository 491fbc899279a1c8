#!/usr/bin/python3
"""Trouble at the mirror costs v1's clients nothing: losses are counted by reason, and mirroring goes on afterwards."""
import contextlib
import time

import compare
from agent import dropped_requests
from case import case, check, check_equal, check_none, main, note
from lab import Lab
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent

LOAD = {"connections": 8, "rate": 300, "mix": "single=10,large=1", "reconnect": 100, "max_body": 65536}
RECOVERY = 12  # seconds: an attempt may have to time out and the breaker to close
PATIENCE = ("--limit", "response_timeout=3s")  # the default, 15 s, would only make the cases longer


@contextlib.contextmanager
def under_load(seconds_around=0.7, **options):
    """A running agent under load. Ends the load and checks that v1 failed no request and that the copies are honest."""
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with setup_agent(lab, *PATIENCE) as agent:
            load = Driver(lab, lab.addr("v1"), seconds=120, **{**LOAD, **options})
            wait_requests([v2], 50, timeout=10)
            time.sleep(seconds_around)
            stage = Stage(lab, v1, v2, agent, load)
            yield stage
            stage.finish()


class Stage:
    def __init__(self, lab, v1, v2, agent, load):
        self.lab, self.v1, self.v2, self.agent, self.load = lab, v1, v2, agent, load
        self.lost_records = []
        check(v2.counts()["requests"] >= 50, f"nothing was mirrored before the trouble: {v2.counts()}")

    def row(self):
        return self.agent.rule(self.agent.ledger())

    def expect_drops(self, *reasons, within=40):
        """Waits until one of these reasons is counted."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            counted = {r for r, n in dropped_requests(self.row()).items() if n}
            if counted & set(reasons):
                return
            time.sleep(0.1)
        check(False, f"none of {reasons} was counted within {within} s: {dropped_requests(self.row())}")

    def expect_recovery(self):
        """New requests arrive at v2 again."""
        before = self.v2.counts()["answered"]
        deadline = time.monotonic() + RECOVERY
        while time.monotonic() < deadline:
            if self.v2.counts()["answered"] >= before + 100:
                return
            time.sleep(0.1)
        check(False, f"mirroring did not go on within {RECOVERY} s after the trouble: {self.v2.counts()}")

    def finish(self):
        result = self.load.end()
        check_unharmed(result)
        sent = self.load.sent()
        check_none(compare.identical(sent, self.v1.requests(), "v1"), "the origin's requests")
        ledger = self.agent.settled_ledger(timeout=40)
        row = self.agent.rule(ledger)
        at_v2 = self.lost_records + self.v2.requests()
        check_none(compare.altered(sent, at_v2, "v2"), "the mirror's requests")
        check_equal(row["seen"]["requests"], len(self.v1.requests()), "requests seen against the origin's records")
        check(row["mirrored"]["requests"] <= len(at_v2),
              f"{row['mirrored']['requests']} counted as mirrored, {len(at_v2)} arrived")
        note(f"{result['answered']} answered by v1, 0 failed, p99 {result['p99_ms']} ms; "
             f"{row['mirrored']['requests']} mirrored, dropped {dropped_requests(row)}")


@case("v2 killed, then started again")
def killed():
    with under_load() as stage:
        stage.v2.mode("refuse")
        stage.lost_records = stage.v2.requests()
        stage.v2.kill()
        stage.expect_drops("connect_refused", "breaker_open", "mirror_reset", "mirror_closed")
        stage.v2.start()
        stage.expect_recovery()


@case("v2 stopped by SIGSTOP, then continued")
def stopped():
    with under_load() as stage:
        stage.v2.freeze()
        stage.expect_drops("response_timeout", "flow_queue", "total_queue", "breaker_open", "connect_timeout")
        stage.v2.thaw()
        stage.expect_recovery()


@case("the path to v2 swallows every packet, then heals")
def black_hole():
    with under_load() as stage:
        stage.lab.set_blackhole("v2", True)
        stage.expect_drops("response_timeout", "connect_timeout", "flow_queue", "breaker_open")
        stage.lab.set_blackhole("v2", False)
        stage.expect_recovery()


@case("v2 refuses connections, then accepts them again")
def refusing():
    with under_load() as stage:
        stage.v2.mode("refuse")
        stage.expect_drops("connect_refused", "breaker_open")
        stage.v2.mode("normal")
        stage.expect_recovery()


@case("v2 reads but never answers, then answers again")
def hanging():
    with under_load() as stage:
        stage.v2.mode("hang")
        stage.expect_drops("response_timeout", "flow_queue", "breaker_open")
        stage.v2.mode("normal")
        stage.expect_recovery()


@case("v2 does not read (zero window), then reads again")
def zero_window():
    with under_load(mix="large=1") as stage:
        stage.v2.mode("noread")
        stage.expect_drops("response_timeout", "flow_queue", "total_queue", "breaker_open")
        stage.v2.mode("normal")
        stage.expect_recovery()


@case("v2 answers with 1 GiB: read and discarded, memory flat")
def huge_response():
    with under_load() as stage:
        with stage.agent.watch_rss() as samples:
            stage.v2.mode("big", bytes=1 << 30, count=1)
            deadline = time.monotonic() + 30
            while stage.v2.counts()["big_sent"] < 1 << 30 and time.monotonic() < deadline:
                time.sleep(0.2)
        sent = stage.v2.counts()["big_sent"]
        growth = (max(samples) - samples[0]) / 2 ** 20
        note(f"{sent / 2 ** 20:.0f} MiB of response were taken; the agent grew by {growth:.0f} MiB")
        check(sent == 1 << 30 or dropped_requests(stage.row()), f"{sent} bytes taken, and nothing counted")
        check(growth < 48, f"the agent grew by {growth:.0f} MiB")
        stage.v2.mode("normal")
        stage.expect_recovery()


@case("v2 resets the connection in the middle of requests")
def closes_mid_request():
    with under_load() as stage:
        stage.v2.mode("close_mid", every=5)
        stage.expect_drops("mirror_reset", "mirror_closed")
        stage.v2.mode("normal")
        stage.expect_recovery()


@case("v2 closes after every answer")
def closes_each():
    with under_load() as stage:
        stage.v2.mode("close_each")
        stage.expect_recovery()
        stage.v2.mode("normal")


@case("v2 answers something that is not HTTP")
def garbage():
    with under_load() as stage:
        stage.v2.mode("garbage")
        stage.expect_drops("response_invalid", "breaker_open")
        stage.v2.mode("normal")
        stage.expect_recovery()


@case("v2 answers slowly: v1's latency does not change")
def slow():
    with under_load() as stage:
        stage.v2.mode("slow", seconds=0.2)
        time.sleep(2)
        stage.v2.mode("normal")
        stage.expect_recovery()


if __name__ == "__main__":
    main()
