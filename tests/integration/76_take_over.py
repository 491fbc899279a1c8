#!/usr/bin/python3
"""`umbra run --take-over`: a newer agent takes the place of the running one under load. v1's clients notice nothing, v2
gets exact requests, none twice; what was changed at run time goes on; whatever fails half-way, the old one goes on."""
import contextlib
import json
import os
import random
import signal
import time

import compare
import kernel_state
import rules
from agent import Agent, binary
from case import Skip, case, check, check_equal, check_none, main, need_command, note
from lab import PYTHON, Lab, LabError, wait_for
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent
from upgrade import Asking, FakeOld, FakeTaker, await_end, door_of, figures, held, kill, kinds, successor, totals

LOAD = {"connections": 16, "rate": 320, "mix": "single=1", "max_body": 20000}


class Stage:
    """v1, v2, an agent, and clients that keep their connections for the whole case."""

    def __init__(self, lab, *args, **load):
        self.lab, self.args = lab, args
        self.v1, self.v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        self.agents = [setup_agent(lab, *args).start()]
        self.load = Driver(lab, lab.addr("v1"), seconds=300, **{**LOAD, **load})
        wait_requests([self.v2], 100, timeout=20)

    @property
    def agent(self):
        return self.agents[-1]

    def mirrors(self, more=60, timeout=20):
        """New requests arrive at v2."""
        before = self.v2.counts()["requests"]
        wait_for(lambda: self.v2.counts()["requests"] >= before + more, timeout, f"{more} more requests at v2")

    def upgrade(self, *args, **options):
        self.agents.append(successor(self.agent, *(args or self.args), **options))
        self.mirrors()
        return self.agent

    def finish(self, most_lost=None):
        """Ends the load and compares; returns requests lost per client connection."""
        result = self.load.end()
        check_unharmed(result)
        check_equal(result["connects"], LOAD["connections"], "connections of the client")
        sent = self.load.sent()
        check_none(compare.identical(sent, self.v1.requests(), "v1"), "the origin's requests")
        self.ledger = self.agent.settled_ledger(timeout=30)
        arrived = self.v2.requests()
        check_none(compare.altered(sent, arrived, "v2"), "the mirror's requests")
        got = {entry[1] for entry in arrived}
        lost = [[record[0] for record in connection if record[0] not in got] for connection in sent]
        check_none([f"connection {i} did not go on" for i, c in enumerate(sent) if c[-1][0] not in got], "connections")
        if most_lost is not None:
            check_none([f"connection {i} lost {len(l)}: {l}" for i, l in enumerate(lost) if len(l) > most_lost],
                       f"connections that lost more than {most_lost}")
        note(f"{result['answered']} answered by v1, 0 failed, p99 {result['p99_ms']} ms; {len(arrived)} at v2, "
             f"{sum(map(len, lost))} lost by {sum(map(bool, lost))} of {len(sent)} connections")
        return lost

    def check_books(self):
        """The old ones' last totals and the last one's ledger: what they mirrored is what v2 got."""
        counted = sum(row["mirrored"] for old in self.agents[:-1] for row in totals(old).values())
        counted += sum(row["mirrored"]["requests"] for row in self.ledger["rules"])
        check_equal(counted, len(self.v2.requests()), "requests counted as mirrored, against those that v2 has")


@contextlib.contextmanager
def under_load(*args, **load):
    with Lab() as lab:
        stage = Stage(lab, *args, **load)
        try:
            yield stage
        except BaseException:
            for agent in stage.agents:
                print(f"    --- log of {agent.name} ---\n{agent.log()[-3000:]}")
            raise
        stage.agent.stop()


def check_same(agent, kept):
    """Its programs, maps and links are those; new ones would be of a change that is under way."""
    try:
        wait_for(lambda: held(agent) == kept, 5, "the agent's BPF objects as before")
    except LabError:
        check_equal(held(agent) ^ kept, set(), "BPF objects that came or went")


def gone(ids, timeout=5):
    """Those of the BPF objects that still exist after the time, as kind and id."""
    probe = Agent.__new__(Agent)
    probe.ids = ids
    probe.check_gone(timeout)


@case("tcx under load: zero failed requests, exact copies, each connection goes on and loses two requests at most")
def under_load_tcx():
    if not kernel_state.has_tcx():
        raise Skip("the kernel has no tcx")
    with under_load() as stage:
        old = stage.agent
        before, mine = held(old), kernel_state.tcx(stage.lab)
        new = stage.upgrade()
        after, theirs = held(new), kernel_state.tcx(stage.lab)
        wait_for(lambda: kinds(held(new)) == kinds(before), 10, f"as many programs, maps and links as {kinds(before)}")
        links = {i for k, i in before if k == "link"}
        check_equal({i for k, i in after if k == "link"}, links, "the links")
        gone(before - after)
        check_equal({d: {h: len(p) for h, p in hooks.items()} for d, hooks in theirs.items() if not d.startswith("umb")},
                    {d: {h: len(p) for h, p in hooks.items()} for d, hooks in mine.items() if not d.startswith("umb")},
                    "programs per hook")
        known = figures(new)
        check_equal((known["pid"], known["blind"], known["hooks"]), (old.child.pid, 0, len(links)), "pid, blind, hooks")
        told = new.json("status")["took_over"]
        check_equal((told["pid"], told["hooks"], told["switch_us"], told["blind_us"]),
                    (known["pid"], known["hooks"], known["switch"], 0), "what status says")
        check("took over from pid" in new.call("status").stdout, "status keeps it quiet")
        check("taken over by" in old.log() and str(new.child.pid) in old.log(), "the old one does not say by whom")
        # Between the first and the last link a connection may do more than one request when the machine stands still.
        # One under way, and one that teaches the new one how far the server has come. When the machine stands still
        # between two links there may be more.
        stage.finish(most_lost=2 if known["switch"] < 2000 else 4)
        stage.check_books()
        note(f"{known}")


@case("clsact under load: the same, with a short blind time that is said; afterwards the node is as before")
def under_load_clsact():
    with under_load("--attach", "clsact") as stage:
        new = stage.upgrade()
        known = figures(new)
        check(known["blind"] > 0, f"blind for nothing? {known}")
        stage.finish(most_lost=2 if known["blind"] < 2000 else None)
        stage.check_books()
        note(f"{known}")
        new.stop()
        left = [line for line in stage.lab.exec("node", ["tc", "qdisc"]).stdout.splitlines() if "clsact" in line]
        check_equal(left, [], "qdiscs that are left")


@case("from tcx to clsact and back: never both, the figures say how long nobody cloned")
def between_hooks():
    if not kernel_state.has_tcx():
        raise Skip("the kernel has no tcx")
    with under_load() as stage:
        for attach in ("clsact", "tcx"):
            new = stage.upgrade("--attach", attach)
            check_equal(new.json("status")["hook"], attach, "hook")
            note(f"to {attach}: {figures(new)}")
        stage.finish()
        stage.check_books()


@case("programs of others keep their places: one before ours, one behind, the same before and after")
def order_stays():
    if not kernel_state.has_tcx():
        raise Skip("the kernel has no tcx")
    with under_load() as stage:
        for name, args in (("behind", ()), ("ahead", ("first",))):
            stage.lab.spawn("node", [PYTHON, kernel_state.__file__, "to-v1", *args], name)
            wait_for(lambda: "attached" in stage.lab.log(name), 5, "the foreign program")
        before = kernel_state.tcx(stage.lab)["to-v1"]
        stage.upgrade()
        stage.upgrade()
        after = kernel_state.tcx(stage.lab)["to-v1"]
        for hook in ("ingress", "egress"):
            check_equal(len(before[hook]), 3, f"programs at {hook}")
            check_equal([after[hook][0], after[hook][2], len(after[hook])], [before[hook][0], before[hook][2], 3],
                        f"the others' programs at {hook}, and how many there are")
            check(after[hook][1] != before[hook][1], f"the old one's program is still at {hook}")
        stage.finish()


@case("a pause, by whom and why, and a rule of run time are carried; resume mirrors by both")
def carried():
    with under_load() as stage:
        old = stage.agent
        other = rules.write(stage.lab, "other.yaml", rules.mirror_rule("other", 99, "v2"))
        old.call("apply", "-f", other)
        old.call("pause", "--reason", "the newer one comes")
        paused = old.json("status")["paused"]
        stage.agents.append(successor(old))
        status = stage.agent.json("status")
        check_equal((status["paused"], status["clone_share"], status["attach_points"]), (paused, 0, []),
                    "pause, share and devices")
        check_equal({r["rule"] for r in status["rules"]}, {f"default/{rules.POST_RULE_NAME}", "default/other"}, "rules")
        before = stage.v2.counts()["requests"]
        served = stage.v1.counts()["requests"]
        wait_for(lambda: stage.v1.counts()["requests"] >= served + 100, 20, "100 more requests at v1")
        check_equal(stage.v2.counts()["requests"], before, "requests at v2 while paused")
        stage.agent.call("resume")
        stage.mirrors()
        stage.finish()
        check(stage.agent.rule(stage.ledger, "other")["mirrored"]["requests"] > 0, "the rule of run time does nothing")


@case("files of the new one replace what has the same name, the rest of the old one's documents stays")
def files_over_documents():
    with Lab(mirrors=2) as lab:
        pods = {"v1": [[lab.addr("v1")]], "v2": [[lab.addr("v2")]], "v3": [[lab.addr("v2b")]]}
        registry = rules.write(lab, "registry.yaml", rules.registry(pods))
        one = rules.write(lab, "one.yaml", rules.mirror_rule("one", 11, "v2"))
        two = rules.write(lab, "two.yaml", rules.mirror_rule("two", 5, "v2"))
        anew = rules.write(lab, "anew.yaml", rules.mirror_rule("one", 11, "v3"))
        bad = rules.write(lab, "bad.yaml", "kind: RouteRule\nspec: 7\n")
        with Agent(lab, registry, one) as old:
            old.call("apply", "-f", two)
            argv = [binary(), "run", "--take-over", "--socket", old.socket, "-f", bad]
            check_equal(lab.exec("node", argv, check=False).returncode, 3, "exit code with an invalid file")
            check_equal(len(old.json("get", "rules")), 2, "the old one's rules")
            with successor(old, files=[anew]) as new:
                rows = {r["rule"]: r["mirror"] for r in new.json("get", "rules")}
                check_equal(set(rows), {"default/one", "default/two"}, "rules")
                check("v3" in rows["default/one"] and "v2" in rows["default/two"], f"mirrors {rows}")


@case("the trip's level is carried")
def trip_carried():
    args = ("--trip", "off", "--trip", "after=1s", "--trip", "recover=10m", "--trip", "volume=1", "--trip", "memory=1M")
    with under_load(*args) as stage:
        wait_for(lambda: stage.agent.json("status")["clone_share"] == 0, 60, "the trip's pause", step=0.2)
        before = stage.agent.json("status")
        stage.agents.append(successor(stage.agent, *args))
        after = stage.agent.json("status")
        check_equal((after["paused"], after["clone_share"]), (before["paused"], 0), "paused, share")
        check_equal((after["trip"]["level"], after["trip"]["last"]), (4, before["trip"]["last"]), "level, last step")
        check_unharmed(stage.load.end())


def check_goes_on(stage, ours):
    """The old one mirrors with its own programs and links, takes changes again and can be taken over."""
    stage.mirrors()
    wait_for(lambda: kernel_state.tcx(stage.lab) == ours, 5, "the programs as before")
    check_equal(stage.agent.child.poll(), None, "exit code of the old one")
    stage.agent.call("apply", "-f", stage.agent.files[1])


@case("a taker that ends after hello, offer, go, or with its programs in all places: the old one goes on mirroring")
def takers_that_end():
    if not kernel_state.has_tcx():
        raise Skip("the kernel has no tcx")
    with under_load() as stage:
        ours, kept = kernel_state.tcx(stage.lab), held(stage.agent)
        lines = 0
        for step in ("connect", "hello", "ready", "switch"):
            taker = FakeTaker(stage.agent)
            fds = taker.hello()[1] if step != "connect" else []
            if step in ("ready", "switch"):
                _, links = taker.ready()
                check_equal(len(links), sum(1 for k, _ in kept if k == "link"), "links that were handed over")
                fds += [fd for *_, fd in links]
            if step == "switch":
                program = kernel_state.load_neutral_program()
                for *_, fd in links:
                    kernel_state.update_link(fd, program)
                os.close(program)
                check(kernel_state.tcx(stage.lab) != ours, "the links were not led away")
            taker.close()
            for fd in fds:
                os.close(fd)
            lines += 1
            wait_for(lambda: stage.agent.log().count("not taken over") == lines, 10, "the old one's line")
            check_goes_on(stage, ours)
        check_same(stage.agent, kept)
        stage.finish()


@case("the same with clsact: the old one clones again")
def taker_ends_clsact():
    with under_load("--attach", "clsact") as stage:
        taker = FakeTaker(stage.agent)
        taker.hello()
        go, links = taker.ready("clsact")
        check(go["stopped_at"] and not links, f"what came with go: {go}")
        before = stage.v2.counts()["requests"]
        served = stage.v1.counts()["requests"]
        wait_for(lambda: stage.v1.counts()["requests"] >= served + 100, 20, "100 more requests at v1")
        check(stage.v2.counts()["requests"] < before + 60, "the old one goes on cloning between go and taken")
        taker.close()
        stage.mirrors()
        stage.finish()


@case("a taker that hangs after go is killed, and the old one goes on; meanwhile changes are refused, reading is not")
def hanging_taker():
    with under_load() as stage:
        ours = kernel_state.tcx(stage.lab)
        code = ("import sys, signal; sys.path.insert(0, sys.argv[1]); from upgrade import FakeTaker;"
                "from types import SimpleNamespace as S; t = FakeTaker(S(socket=sys.argv[2]));"
                "t.hello(); print('offered', flush=True); t.ready(); print('going', flush=True); signal.pause()")
        taker = stage.lab.spawn("node", [PYTHON, "-c", code, os.path.dirname(__file__), stage.agent.socket], "taker")
        wait_for(lambda: "going" in stage.lab.log("taker"), 10, "the taker")
        for args in (("pause",), ("resume",), ("delete", "rule", rules.POST_RULE_NAME)):
            done = stage.agent.call(*args, wanted=1)
            check("being taken over" in done.stderr, f"{args}: {done.stderr}")
        stage.agent.call("status")
        check_equal(taker.wait(30), -signal.SIGKILL, "how the taker ended")
        check_goes_on(stage, ours)
        stage.finish()


@case("SIGKILL to a real successor at random moments: afterwards there is one agent, and v2's copies are exact")
def killed_successors():
    with under_load() as stage:
        draw, ends = random.Random(7), {"old goes on": 0, "taken": 0}
        for turn in range(8):
            new = successor(stage.agent, *stage.args, name=f"s{turn}", start=False)
            new.launch()
            with contextlib.suppress(LabError):
                wait_for(lambda: "took over" in new.log(), draw.uniform(0.05, 4), "the take-over", step=0.005)
            taken = "took over" in new.log()
            if not taken:
                kill(new.child)
                time.sleep(0.2)
                taken = stage.agent.child.poll() is not None
            ends["taken" if taken else "old goes on"] += 1
            if taken:
                await_end(stage.agent)
                if new.child.poll() is not None:  # killed right behind the last step
                    new = setup_agent(stage.lab, *stage.args)
                    new.name = f"again{turn}"
                    new.start()
                else:
                    wait_for(lambda: new.is_ready(), 10, "the successor")
                stage.agents.append(new)
            stage.mirrors(timeout=40)
        stage.finish()
        note(f"{ends}")


@case("the door: garbage, another format, a second taker, other users are refused; changes wait from the offer on")
def door():
    need_command("setpriv")
    with under_load() as stage:
        agent = stage.agent
        for text in (b"\0", b"{", b"[]", b"x" * 70000, b'{"message":"taken","hooks":1}', b'{"message":"hello"}',
                     b"[" * 60000):
            taker = FakeTaker(agent)
            with contextlib.suppress(OSError):
                taker.channel.send(text)
            check_equal(taker.hear()[0], None, f"the answer to {text[:40]}")
            taker.close()
        taker = FakeTaker(agent)
        taker.say("hello", format=99, version="9")
        check("format" in taker.expect("no")[0]["why"], "no reason")
        taker.close()
        first = FakeTaker(agent)
        first.hello()
        second = FakeTaker(agent)
        check("another" in second.expect("no")[0]["why"], "a second taker is not told")
        done = agent.call("delete", "rule", rules.POST_RULE_NAME, wanted=1)
        check("being taken over" in done.stderr, f"delete says {done.stderr}")
        first.close()
        other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", PYTHON, "-c",
                 "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]);"
                 "s.send(b'{\"message\":\"hello\",\"format\":1,\"version\":\"1\"}');"
                 "print(s.recv(65536).decode())", door_of(agent)]
        done = stage.lab.exec("node", other, check=False)
        check("PermissionError" in done.stderr, f"another user: {done.stdout}{done.stderr}")
        os.chmod(stage.lab.dir, 0o755)
        os.chmod(door_of(agent), 0o666)
        done = stage.lab.exec("node", other, check=False)
        check("offer" not in done.stdout and ("only root" in done.stdout or "Error" in done.stderr),
              f"another user who could connect: {done.stdout}{done.stderr}")
        check("take-over refused uid=65534" in agent.log(), "the refusal is not in the log")
        check_equal(agent.child.poll(), None, "the agent's exit code")
        stage.mirrors()
        stage.finish()
        check_none(compare.missing(stage.load.sent(), stage.v2.requests(), "v2"), "requests lost meanwhile")
        taker = FakeTaker(agent)
        taker.hello()
        agent.call("pause")  # goes with `go`, so it is not too late
        go, _ = taker.ready("clsact")
        check_equal(go["cloning"]["by_operator"]["uid"], 0, "who has paused, as go says")
        taker.close()


@case("usage: without an agent, with a terminator in another container, in another network: refused, with the reason")
def refusals():
    with Lab() as lab:
        agent = setup_agent(lab)
        argv = [binary(), "run", "--take-over", "--socket", agent.socket]
        done = lab.exec("node", argv, check=False)
        check_equal((done.returncode, "without --take-over" in done.stderr), (1, True), f"{done.stderr}")
        done = lab.exec("node", [*argv, "--terminator-socket", lab.dir / "t.sock"], check=False)
        check_equal((done.returncode, "DaemonSet" in done.stderr), (2, True), f"{done.stderr}")
        with agent:
            done = lab.exec("client", argv, check=False)
            check_equal((done.returncode, "another network namespace" in done.stderr), (2, True), f"{done.stderr}")
            check_equal(agent.call("status").returncode, 0, "status of the running one")


@case("the old one dies between offer and go: the new one goes on with what it holds")
def orphaned():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        agent = setup_agent(lab)
        inode = os.stat(f"/run/netns/{lab.ns('node')}")
        old = FakeOld(lab, f"{inode.st_dev}:{inode.st_ino}")
        agent.socket = old.path
        new = successor(agent, start=False)
        for damage in ({"format": 77}, {"cloning": 3}, {"netns": "1:1"}, {"qdiscs": [-1]}):
            new.launch()
            speaker = old.accept()
            speaker.expect("hello")
            old.offer(speaker, agent.files_as_paths(), **damage)
            check(new.child.wait(20) != 0, f"an offer with {damage} was taken")
            speaker.close()
        new.launch()
        speaker = old.accept()
        speaker.expect("hello")
        old.offer(speaker, agent.files_as_paths())
        speaker.expect("ready")
        speaker.close()
        old.close()
        with new:
            wait_for(new.is_ready, 10, "the successor")
            check("has ended" in new.log(), "the new one does not say that the old one is gone")
            load = Driver(lab, lab.addr("v1"), requests=300, connections=4)
            check_unharmed(load.result())
            wait_requests([v2], v1.counts()["requests"])
            check_none(compare.identical(load.sent(), v2.requests(), "v2"), "the mirror's requests")


@case("the control socket answers every client while one agent takes over from the other, three times")
def nobody_refused():
    with under_load() as stage:
        with Asking(stage.agent) as asking:
            for _ in range(3):
                stage.upgrade()
        check_none(asking.errors, f"of {asking.answers} questions")
        check(asking.answers > 20, f"only {asking.answers} answers")
        stage.finish()
        note(f"{asking.answers} answers")


@case("a mirror that is an origin itself: what the old one still sends there is not mirrored again")
def loop_guard():
    with Lab(mirrors=2) as lab:
        v1, v2, v2b = (Recorder(lab, role) for role in ("v1", "v2", "v2b"))
        entries = [rules.service_entry(f"{name}.test", [("v1", lab.addr(role), 8080)])
                   for name, role in (("first", "v1"), ("middle", "v2"), ("last", "v2b"))]
        path = rules.write(lab, "chain.yaml", rules.documents(
            *entries, rules.rule_between("a", ("first.test", "v1"), ("middle.test", "v1")),
            rules.rule_between("b", ("middle.test", "v1"), ("last.test", "v1"))))
        old = Agent(lab, path).start()
        load = Driver(lab, lab.addr("v1"), seconds=120, **LOAD)
        wait_requests([v2], 100, timeout=20)
        v2.mode("slow", seconds=0.3)  # so that the old one has connections to v2 at work when it is taken over
        with successor(old) as new:
            before = v2.counts()["requests"]
            wait_for(lambda: v2.counts()["requests"] >= before + 60, 20, "more requests at v2")
            v2.mode("normal")
            check_unharmed(load.end())
            ledger = new.settled_ledger(timeout=30)
            check_equal(v2b.counts()["requests"], 0, "requests that were mirrored from the mirror")
            check(new.rule(ledger, "a")["mirrored"]["requests"] > 0, "nothing was mirrored")
            check(v1.counts()["requests"] > 0, "no traffic")


@case("a cluster whose picture does not come: the new one gives up after 30 s, the old one goes on")
def picture_does_not_come():
    with under_load() as stage:
        config = rules.write(stage.lab, "kubeconfig", json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {}}],
            "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}]}))
        os.chmod(config, 0o644)
        new = successor(stage.agent, "--kubernetes", "--kubeconfig", config, start=False)
        new.launch()
        wait_for(lambda: "about to be taken over" in stage.agent.log(), 20, "the offer")
        stage.mirrors()
        check_equal(new.child.wait(60), 1, f"exit code of the new one\n{new.log()[-2000:]}")
        check("picture of the cluster" in new.log(), f"no reason: {new.log()[-2000:]}")
        check("not taken over" in stage.agent.log(), "the old one does not say so")
        stage.mirrors()
        stage.finish(most_lost=0)


@case("the exporter: the new one's begins when the old one's has left the port, and serves")
def exporter():
    need_command("curl")
    args = ("--metrics", "127.0.0.1:9464", "--group", "65530")
    with Lab() as lab:
        old = setup_agent(lab, *args).start()

        def serves():
            return lab.exec("node", ["curl", "-fsS", "http://127.0.0.1:9464/healthz"], check=False).returncode == 0
        wait_for(serves, 15, "the old one's exporter", step=0.2)
        with successor(old, *args) as new:
            wait_for(serves, 15, "the new one's exporter", step=0.2)
            check("the exporter runs" in new.log(), "who serves?")


@case("twenty take-overs in a row: the same programs, maps, links and descriptors each time; nothing is left behind")
def twenty():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        served = kernel_state.dump(lab)
        agent, switches = setup_agent(lab).start(), []
        ids = held(agent)
        wanted, most = kinds(ids), None

        def descriptors():
            return len(os.listdir(f"/proc/{agent.child.pid}/fd"))
        for turn in range(20):
            agent = successor(agent, name=f"turn{turn}")
            ids |= held(agent)
            # A generation that is being written has maps of its own for a moment.
            wait_for(lambda: kinds(held(agent)) == wanted, 10, f"{wanted} held by successor {turn}")
            most = most or descriptors()
            wait_for(lambda: descriptors() <= most, 10, f"at most {most} descriptors, not {descriptors()}")
            switches.append(figures(agent)["switch"])
        load = Driver(lab, lab.addr("v1"), requests=200, connections=4)
        check_unharmed(load.result())
        wait_requests([v2], v1.counts()["requests"])
        check_none(compare.identical(load.sent(), v2.requests(), "v2"), "the mirror's requests")
        check_equal(agent.stop(), 0, "exit code of the last one")
        gone(ids)
        check_none(kernel_state.differences(served, kernel_state.dump(lab)), "left behind")
        check(not agent.socket.exists() and not os.path.exists(door_of(agent)), "a socket's file was left behind")
        note(f"each holds {wanted} and {most} descriptors; switches {sorted(switches)} us")


if __name__ == "__main__":
    main()
