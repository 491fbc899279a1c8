#!/usr/bin/python3
"""Requests at v1, each checked by the client, while mirror and agent break in every way that we know: none fails, v2
gets only what was sent and nothing twice. p50 and p99 beside those without Umbra are printed; they judge nothing."""
import contextlib
import os
import pathlib
import re
import signal
import time

from battery import Load, Stand, check_mirror, check_origin, quantiles, size
from case import Skip, case, check, main, note
from lab import Lab, wait_for
from scene import setup_agent

PATIENCE = ("--limit", "response_timeout=2s", "--limit", "flow_idle=10s")  # else trouble would only last longer
LASTS = 2.0  # seconds of one fault
CGROUPS = pathlib.Path("/sys/fs/cgroup")


class MemoryGroup:
    """A cgroup whose memory can be limited, version 2 or 1."""

    def __init__(self):
        name = f"umbra-test-{os.getpid()}"
        second = CGROUPS / "cgroup.controllers"
        if second.exists() and "memory" in second.read_text().split():
            with contextlib.suppress(OSError):
                (CGROUPS / "cgroup.subtree_control").write_text("+memory")
            self.path, self.limit, self.usage, self.events = (
                CGROUPS / name, "memory.max", "memory.current", "memory.events")
        elif (CGROUPS / "memory").is_dir():
            self.path, self.limit, self.usage, self.events = (
                CGROUPS / "memory" / name, "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control")
        else:
            raise Skip("no cgroup controller for memory")
        try:
            self.path.mkdir()
        except OSError as error:
            raise Skip(f"no cgroup of its own: {error}") from None
        if not (self.path / self.limit).exists():
            self.remove()
            raise Skip("the cgroup has no memory controller")

    def add(self, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                (self.path / "cgroup.procs").write_text(str(pid))

    def set_limit(self, value):
        (self.path / self.limit).write_text(str(value))

    def used(self):
        return int((self.path / self.usage).read_text())

    def kills(self):
        return int(re.search(r"\boom_kill (\d+)", (self.path / self.events).read_text()).group(1))

    def remove(self):
        with contextlib.suppress(OSError):
            self.path.rmdir()


class Stage:
    def __init__(self, lab):
        self.lab, self.v1, self.v2 = lab, Stand(lab, "v1"), Stand(lab, "v2")
        self.agent = setup_agent(lab, *PATIENCE)
        self.lives = 0
        self.revive()
        self.windows = []  # (fault, begin, end)
        self.notes = []

    def revive(self):
        self.agent.start()
        self.lives += 1

    def await_mirrored(self, what):
        before = self.v2.requests()
        wait_for(lambda: self.v2.requests() >= before + 50, 30, f"requests at v2 after '{what}'")

    def suffer(self, name, fault):
        """The fault for a while, then everything is well again and mirroring goes on."""
        begin = time.monotonic_ns()
        with fault(self) or contextlib.nullcontext():
            time.sleep(LASTS)
        self.windows.append((name, begin, time.monotonic_ns()))
        self.await_mirrored(name)

    def report(self, result, sent, got):
        note(f"{result['answered']} requests, {result['connects']} connections, {result['seconds']:.0f} s, 0 failed; "
             f"{len(got)} at v2, none altered, none twice; {self.lives} lives of the agent; p50/p99 "
             f"{quantiles(sent)} ms{''.join('; ' + text for text in self.notes)}")
        for name in dict.fromkeys(window[0] for window in self.windows):
            spans = [(begin, end) for fault, begin, end in self.windows if fault == name]
            inside = [r for r in sent if any(begin <= r.time <= end for begin, end in spans)]
            reached = {r.id for r in got}
            note(f"  {name}: {len(inside)} requests, 0 failed, {sum(r.id in reached for r in inside)} at v2, p50/p99 "
                 f"{quantiles(inside)} ms")


@contextlib.contextmanager
def mirror_killed(stage):
    stage.v2.kill()
    yield
    stage.v2.start()


@contextlib.contextmanager
def mirror_stopped(stage):
    stage.v2.signal(signal.SIGSTOP)
    yield
    stage.v2.signal(signal.SIGCONT)


@contextlib.contextmanager
def mirror_swallowed(stage):
    stage.lab.set_blackhole("v2", True)
    yield
    stage.lab.set_blackhole("v2", False)


@contextlib.contextmanager
def mirror_unroutable(stage):
    stage.lab.ip("node", "route", "add", "unreachable", f"{stage.lab.addr('v2')}/32")
    yield
    stage.lab.ip("node", "route", "del", "unreachable", f"{stage.lab.addr('v2')}/32")


def mirror_mode(mode):
    @contextlib.contextmanager
    def fault(stage):
        stage.v2.mode(mode)
        yield
        stage.v2.mode("normal")
    return fault


@contextlib.contextmanager
def agent_killed(stage):
    stage.agent.kill_all()
    yield
    stage.revive()


@contextlib.contextmanager
def agent_stopped(stage):
    pids = stage.agent.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def agent_restarted(stage):
    for _ in range(3):
        stage.agent.stop()
        stage.revive()
        time.sleep(1)
    yield


@contextlib.contextmanager
def agent_taken_over(stage):
    """The next agent takes the place of the one that runs."""
    old, stage.agent = stage.agent, setup_agent(stage.lab, *PATIENCE, "--take-over")
    stage.revive()
    stage.agent.args.remove("--take-over")  # its next lives find nobody
    wait_for(lambda: old.child.poll() is not None, 20, "the end of the agent that was replaced")
    yield


@contextlib.contextmanager
def agent_out_of_memory(stage):
    """The limit is what it uses at that moment, and v2 stops, so that more and more would be queued."""
    group = MemoryGroup()
    try:
        stage.agent.stop()
        stage.agent.launch()
        group.add(stage.agent.pids())
        wait_for(stage.agent.is_ready, 20, "the agent's line with 'ready'")
        stage.lives += 1
        stage.await_mirrored("start in a cgroup")
        group.add(stage.agent.pids())
        stage.v2.signal(signal.SIGSTOP)
        tighten(group)
        yield
        wait_for(lambda: group.kills() or tighten(group), 20, "a process killed for want of memory", step=0.2)
        stage.notes.append(f"{group.kills()} processes killed for want of memory")
        group.set_limit(1 << 32)
        stage.v2.signal(signal.SIGCONT)
        stage.agent.kill_all()
        stage.revive()
    finally:
        wait_for(lambda: group.remove() or not group.path.exists(), 10, "the end of the cgroup", step=0.1)


def tighten(group):
    """The kernel refuses, or reclaims first, what cannot be had: so step by step."""
    with contextlib.suppress(OSError):
        group.set_limit(group.used() + (256 << 10))


FAULTS = (("mirror killed", mirror_killed), ("mirror stopped", mirror_stopped), ("path swallows", mirror_swallowed),
          ("mirror unroutable", mirror_unroutable), ("mirror never reads", mirror_mode("noread")),
          ("mirror never answers", mirror_mode("hang")), ("mirror answers garbage", mirror_mode("garbage")),
          ("agent killed", agent_killed), ("agent stopped", agent_stopped), ("agent restarted", agent_restarted),
          ("agent taken over", agent_taken_over), ("agent out of memory", agent_out_of_memory))


def in_pairs(stage):
    """Latency while everything is mirrored, beside that while nothing is attached, in turn."""
    pairs = []
    for _ in range(size("pairs")):
        figures = []
        for verb in ("resume", "pause"):
            stage.agent.call(verb)
            load = Load(stage.lab, size("pair_requests"), size("rate"))
            load.result()
            figures.append(quantiles(load.records()))
            stage.sent += load.records()
        pairs.append(" - ".join(figures))
    stage.agent.call("resume")
    note(f"p50/p99 in ms, mirrored - detached, in pairs: {', '.join(pairs)}")


@case("requests while mirror and agent are killed, stopped, cut off, starved and restarted: none fails")
def nothing_harms_v1():
    with Lab() as lab:
        stage = Stage(lab)
        try:
            stage.sent = []
            in_pairs(stage)
            load = Load(lab, size("requests"), size("rate"), stay=True)
            for _ in range(size("rounds")):
                for name, fault in FAULTS:
                    try:
                        stage.suffer(name, fault)
                    except Skip as reason:
                        stage.notes.append(f"not done: {name}: {reason}")
            result = load.end()
            stage.agent.settled_ledger(timeout=40)
        except BaseException:
            print(f"    --- the agent's log ---\n{stage.agent.log()[-4000:]}")
            raise
        stage.agent.stop()
        sent = load.records()
        check_origin(stage.sent + sent, stage.v1)
        got = stage.v2.records()
        check_mirror(stage.sent + sent, got)
        check(len(got) > len(stage.sent) // 4, f"only {len(got)} requests were mirrored")
        stage.report(result, sent, got)


if __name__ == "__main__":
    main()
