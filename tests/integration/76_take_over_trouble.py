#!/usr/bin/python3
"""Take-overs that go wrong half-way, from either side: one agent goes on all the same, and v2 gets exact copies."""
import contextlib
import json
import os
import random
import signal
import time

import compare
import kernel_state
import rules
from agent import binary
from case import Skip, case, check, check_equal, check_none, main, need_command, note
from lab import PYTHON, Lab, LabError, wait_for
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent
from upgrade import FakeOld, FakeTaker, await_end, door_of, held, kill, successor
from upgrade_scene import check_goes_on, check_same, under_load


@case("a taker that ends after hello, offer, go, or with its programs in all places: the old one goes on mirroring")
def takers_that_end():
    if not kernel_state.has_tcx():
        raise Skip("the kernel has no tcx")
    with under_load() as stage:
        ours, kept = kernel_state.tcx(stage.lab), held(stage.agent)
        lines = 0
        for step in ("connect", "hello", "ready", "switch"):
            taker = FakeTaker(stage.agent)
            if step != "connect":
                taker.hello()
            if step in ("ready", "switch"):
                _, links = taker.ready()
                check_equal(len(links), sum(1 for k, _ in kept if k == "link"), "links that were handed over")
            if step == "switch":
                program = kernel_state.load_neutral_program()
                for *_, fd in links:
                    kernel_state.update_link(fd, program)
                os.close(program)
                check(kernel_state.tcx(stage.lab) != ours, "the links were not led away")
            taker.close()
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


@case("SIGTERM to the old one: who was offered is told; who was told to go is waited for, whichever way that ends")
def stopped_in_between():
    with Lab() as lab:
        agent = setup_agent(lab).start()
        taker = FakeTaker(agent)
        taker.hello()
        check_equal(agent.stop(), 0, "exit code")
        check("stopping" in taker.expect("no")[0]["why"], "the taker is not told why")
        taker.close()
        check_equal((agent.socket.exists(), os.path.exists(door_of(agent))), (False, False), "the sockets' files")
        for taken in (False, True):
            agent.start()
            taker = FakeTaker(agent)
            taker.hello()
            taker.ready()
            agent.child.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            check_equal(agent.child.poll(), None, "exit code in the middle of the switch")
            if taken:
                taker.say("taken", hooks=2)
            taker.close()
            check_equal(agent.child.wait(10), 0, "exit code")
            check_equal((agent.socket.exists(), os.path.exists(door_of(agent))), (taken, taken), "the sockets' files")
            agent.check_gone()


@case("the old one dies between offer and go, or between go and taken: the new one goes on with what it holds")
def orphaned():
    for step in ("go", "taken"):
        orphaned_before(step)


def orphaned_before(step):
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
        if step == "taken":
            old.go(speaker)
        speaker.close()
        old.close()
        with new:
            wait_for(new.is_ready, 10, "the successor")
            check("has ended" in new.log(), "the new one does not say that the old one is gone")
            load = Driver(lab, lab.addr("v1"), requests=300, connections=4)
            check_unharmed(load.result())
            wait_requests([v2], v1.counts()["requests"])
            check_none(compare.identical(load.sent(), v2.requests(), "v2"), "the mirror's requests")


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


if __name__ == "__main__":
    main()
