#!/usr/bin/python3
"""The kill switch and the automatic trip: `umbra pause` stops cloning at once and lasts over rules and restarts of the
terminator; thresholds lower the share of flows, then pause, and go back by themselves. v1's clients notice nothing."""
import contextlib
import os
import re
import signal
import time

import compare
import rules
from agent import binary
from case import case, check, check_equal, check_none, main, need_command, note
from lab import Lab, wait_for
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent

LOAD = {"connections": 32, "rate": 300, "mix": "single=10,large=1", "reconnect": 10, "max_body": 65536}
# Flows that end while nothing is cloned are never seen to end; the default, ten minutes, is long for a test.
SHORT = ("--limit", "flow_idle=4s", "--limit", "flow_closing=4s", "--limit", "response_timeout=3s")
QUICK = ("--trip", "off", "--trip", "after=1s", "--trip", "recover=1s", "--trip", "volume=1")
STEP = re.compile(r"trip cause=(\S+) share=([\d.]+)% before=([\d.]+)%")
PAUSED = 4  # steps down to it


class Stage:
    def __init__(self, lab, agent, v1, v2):
        self.lab, self.agent, self.v1, self.v2 = lab, agent, v1, v2
        self.load = Driver(lab, lab.addr("v1"), seconds=240, **LOAD)

    def kernel(self, name=None):
        return self.agent.rule(self.agent.ledger(), name)["kernel"]

    def kernels(self):
        return {row["rule"]: row["kernel"] for row in self.agent.ledger()["rules"]}

    def status(self):
        return self.agent.json("status")

    def await_mirrored(self, more=50, timeout=30):
        """New requests arrive at v2."""
        before = self.v2.counts()["requests"]
        wait_for(lambda: self.v2.counts()["requests"] >= before + more, timeout, f"{more} more requests at v2")

    def check_standing_still(self):
        """The kernel's counters do not move although v1 is being served, and the ledger closes."""
        before, served = self.kernels(), self.v1.counts()["requests"]
        wait_for(lambda: self.v1.counts()["requests"] >= served + 100, 30, "100 more requests at v1")
        check_equal(self.kernels(), before, "the kernel's counters while paused")
        check(self.agent.ledger()["closes"], "the ledger does not close while paused")

    def steps(self):
        """[(cause, share, share before)] from the log."""
        return [(cause, float(to), float(before)) for cause, to, before in STEP.findall(self.agent.log())]

    def trips(self):
        return {row["threshold"]: row["trips"] for row in self.status()["trip"]["trips"]}

    def await_share(self, share, timeout=90):
        wait_for(lambda: self.status()["clone_share"] == share, timeout, f"a share of {share}", step=0.2)

    def finish(self):
        if self.load.child.poll() is None:
            self.result = self.load.end()
        check_unharmed(self.result)
        sent = self.load.sent()
        check_none(compare.identical(sent, self.v1.requests(), "v1"), "the origin's requests")
        ledger = self.agent.settled_ledger(timeout=40)
        check_none(compare.altered(sent, self.v2.requests(), "v2"), "the mirror's requests")
        mirrored = sum(row["mirrored"]["requests"] for row in ledger["rules"])
        check(mirrored <= len(self.v2.requests()), f"{mirrored} counted as mirrored, {len(self.v2.requests())} arrived")
        note(f"{self.result['answered']} answered by v1, 0 failed, p99 {self.result['p99_ms']} ms; {mirrored} mirrored")


@contextlib.contextmanager
def under_load(*args):
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with setup_agent(lab, *SHORT, *args) as agent:
            stage = Stage(lab, agent, v1, v2)
            wait_requests([v2], 50, timeout=20)
            yield stage
            stage.finish()


@case("pause under load: from the verb's end on nothing is cloned and no program attached; resume mirrors again")
def pause_and_resume():
    with under_load() as stage:
        agent = stage.agent
        begin = time.monotonic()
        check("paused" in agent.call("pause", "--reason", "v2 is moving house").stdout, "pause says nothing")
        took = time.monotonic() - begin
        check(took < 1, f"pausing took {took:.2f} s")
        status = stage.status()
        check_equal((status["paused"]["by"], status["paused"]["reason"]), ("uid 0", "v2 is moving house"), "by, why")
        check_equal((status["attach_points"], status["clone_share"]), ([], 0), "what is attached, the share")
        check_equal([r["status"] for r in status["rules"]], ["paused"], "the rules' status")
        check_equal([r["status"] for r in agent.json("get", "rules")], ["paused"], "the same of `get rules`")
        check("PAUSED by uid 0" in agent.call("status").stdout, "status keeps it quiet")
        check("paused uid=0" in agent.log(), "no line in the log")
        stage.check_standing_still()
        agent.call("resume")
        check_equal((stage.status()["paused"], stage.status()["clone_share"]), (None, 1), "paused, share after resume")
        stage.await_mirrored()
        note(f"the verb took {took * 1000:.0f} ms")


@case("paused: rules change, the terminator dies, devices are looked at again, and nothing is cloned until resume")
def pause_lasts():
    with under_load() as stage:
        agent = stage.agent
        agent.call("pause")
        other = rules.write(stage.lab, "other.yaml", rules.mirror_rule("other", 99, "v2"))
        check_equal(len(agent.json("apply", "-f", other)["changes"]), 1, "changes applied while paused")
        stage.check_standing_still()
        stage.lab.ip("node", "link", "add", "new-one", "type", "veth", "peer", "name", "new-other")
        victim = next(p["pid"] for p in stage.status()["processes"] if p["role"] == "terminator")
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: stage.status()["restarts"] == 1 and stage.status()["terminator"] == "running", 15,
                 "the next terminator", step=0.1)
        stage.check_standing_still()
        check_equal(stage.status()["attach_points"], [], "attached while paused")
        agent.call("resume")
        stage.await_mirrored()
        check(stage.kernel("other")["cloned"]["packets"] > 0, "the rule that came while paused does nothing")


# Limits: pause_reason.
@case("an agent that is started again clones; a reason that would break the log is refused")
def pause_ends_with_the_agent():
    with Lab() as lab, setup_agent(lab) as agent:
        for reason in ("two\nlines", "x" * 201, "\x1b[2J"):
            agent.call("pause", "--reason", reason, wanted=2)
        check_equal(agent.json("status")["paused"], None, "paused")
        agent.call("pause")
        agent.stop()
        agent.start()
        status = agent.json("status")
        check_equal((status["paused"], status["clone_share"]), (None, 1), "paused, share after a restart")
        check(status["attach_points"], "nothing is attached after a restart")


@case("who may only read can neither pause nor resume")
def readers():
    need_command("setpriv")
    reader = ["setpriv", "--reuid=65531", "--regid=65530", "--clear-groups", "--no-new-privs"]
    with Lab() as lab, setup_agent(lab, "--group", "65530") as agent:
        os.chmod(lab.dir, 0o755)

        def ask(verb):
            return lab.exec("node", [*reader, binary(), verb, "--socket", agent.socket], check=False)
        check_equal(ask("status").returncode, 0, f"exit code of status: {ask('status').stderr}")
        check_equal(ask("pause").returncode, 4, "exit code of pause")
        check_equal(agent.json("status")["paused"], None, "paused by a reader")
        agent.call("pause")
        check_equal(ask("resume").returncode, 4, "exit code of resume")
        check_equal(agent.json("status")["paused"]["by"], "uid 0", "who has paused")
        check("pause refused uid=65531" in agent.log(), "the refusal is not in the log")


def check_goes_down(stage, cause):
    """Half by half to a pause, with one cause; what was left out is counted."""
    wait_for(lambda: len(stage.steps()) >= PAUSED, 90, "four steps down", step=0.2)
    check_equal(stage.steps()[:PAUSED], [(cause, 50, 100), (cause, 25, 50), (cause, 12.5, 25), (cause, 0, 12.5)],
                "the steps in the log")
    trips = stage.trips()
    check(trips[cause] >= PAUSED, f"steps down because of {cause}: {trips}")
    check_equal(sum(trips.values()), trips[cause], f"steps down in all: {trips}")
    check(stage.kernel()["dropped"].get("unsampled", {}).get("packets"), "no packet is counted as unsampled")


@case("CPU above its threshold: fewer flows, then a pause; an operator's resume is one, and it trips again")
def cpu():
    with under_load(*QUICK, "--trip", "cpu=0.1%", "--trip", "recover=10m") as stage:
        check_goes_down(stage, "cpu")
        paused = stage.status()["paused"]
        check_equal((paused["by"], paused["reason"].startswith("cpu ")), ("trip", True), f"who and why: {paused}")
        check("PAUSED by trip" in stage.agent.call("status").stdout, "status keeps it quiet")
        check("mirror_errors" in stage.agent.call("status", "-o", "wide").stdout, "-o wide lists no thresholds")
        stage.check_standing_still()
        stage.agent.call("resume")
        wait_for(lambda: len(stage.steps()) > PAUSED, 30, "another step down", step=0.2)
        check_equal(stage.steps()[PAUSED], ("cpu", 50, 100), "the first step after resume")


@case("memory above its threshold; an operator's pause outranks the trip's")
def memory():
    with under_load(*QUICK, "--trip", "memory=1M") as stage:
        check_goes_down(stage, "memory")
        stage.check_standing_still()
        stage.agent.call("pause", "--reason", "mine")
        check_equal(stage.status()["paused"]["by"], "uid 0", "who has paused")


@case("capture loss above its threshold; without traffic it goes back step by step to everything")
def capture_loss():
    with under_load(*QUICK, "--trip", "capture_loss=1%", "--inject-loss", "20,7") as stage:
        check_goes_down(stage, "capture_loss")
        stage.result = stage.load.end()
        stage.await_share(1)
        ups = [(to, before) for cause, to, before in stage.steps() if cause == "calm"]
        check_equal(ups[-4:], [(12.5, 0), (25, 12.5), (50, 25), (100, 50)], "the last steps up")


@case("a dead mirror above mirror_errors; when it lives again everything is cloned again under load")
def mirror_errors():
    with under_load(*QUICK, "--trip", "mirror_errors=5%") as stage:
        stage.v2.mode("refuse")
        check_goes_down(stage, "mirror_errors")
        stage.v2.mode("normal")
        stage.await_share(1, timeout=180)
        stage.await_mirrored()


@case("the defaults, listed with what is measured now, do not trip; off switches them off")
def defaults():
    with under_load("--trip", "after=5s") as stage:
        settings = wait_for(lambda: (s := stage.status()["trip"]["settings"]) and "now" in s[0] and s, 15,
                            "measured values")
        check_equal({s["name"] for s in settings if s["value"] != "off"},
                    {"cpu", "memory", "capture_loss", "softnet", "after", "recover", "volume"}, "what is on by default")
        check_equal({s["name"] for s in settings if "now" in s} >= {"cpu", "memory", "softnet"}, True, f"{settings}")
        served = stage.v1.counts()["requests"]
        wait_for(lambda: stage.v1.counts()["requests"] >= served + 1500, 60, "1,500 more requests")
        check_equal((stage.steps(), stage.status()["clone_share"]), ([], 1), "steps, share")
    with Lab() as lab, setup_agent(lab, "--trip", "off") as agent:
        check_equal(agent.json("status")["trip"]["enabled"], False, "enabled with --trip off")


if __name__ == "__main__":
    main()
