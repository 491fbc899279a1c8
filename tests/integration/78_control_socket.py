#!/usr/bin/python3
"""The control socket under attack: who is not served, and that nobody who is can keep an operator out."""
import json
import os
import re
import time

from agent import binary
from case import case, check, check_equal, main, need_command, note
from lab import Lab, wait_for
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent

GROUP = 4242
READER = ["setpriv", "--reuid=65532", f"--regid={GROUP}", "--clear-groups", "--bounding-set=-all"]
# More than the longest that one request of a hostile reader can hold the agent's thread, with slow machines in mind.
PATIENCE = 20


def user(uid, gid, groups=()):
    chosen = [f"--groups={','.join(map(str, groups))}"] if groups else ["--clear-groups"]
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", *chosen, "--bounding-set=-all"]


def ask(lab, who, socket, *verb):
    return lab.exec("node", [*who, binary(), *verb, "--socket", socket], check=False)


@case("twenty users who are not of the group are served nothing, members may read, only root may change; all of it is logged")
def who():
    need_command("setpriv")
    with Lab() as lab:
        Recorder(lab, "v1")
        with setup_agent(lab, "--group", GROUP) as agent:
            check_equal(oct(os.stat(agent.socket).st_mode & 0o777), "0o660", "mode of the socket")
            os.chmod(lab.dir, 0o755)
            os.chmod(agent.socket, 0o666)  # so that not the file's mode but the agent itself refuses
            served = [(uid, gid) for uid, gid in [(65000 + i, 65000 + i) for i in range(18)] + [(1, 1), (65534, 65534)]
                      for verb in (("status",), ("pause",))
                      if ask(lab, user(uid, gid), agent.socket, *verb).returncode == 0]
            check_equal(served, [], "users without the group who were served")
            for reader in (READER, user(65533, 65533, [7, GROUP])):
                check_equal(ask(lab, reader, agent.socket, "status").returncode, 0, "a reader's status")
                for verb in (("pause",), ("resume",), ("delete", "rule", "mirror-traffic-to-httbin-v2")):
                    refused = ask(lab, reader, agent.socket, *verb)
                    check(refused.returncode != 0 and "only root" in refused.stderr, f"a reader's {verb[0]}: {refused}")
            agent.call("pause", "--reason", "a drill")
            agent.call("resume")
            for line in ("pause refused uid=65532", "delete refused uid=65533", "pause uid=0", "resume uid=0"):
                check(line in agent.log(), f"'{line}' is not in the log:\n{agent.log()[-2000:]}")


def besiege(lab, agent, kind, count, processes):
    """An operator's pause, status and resume while readers attack. Returns how often, and the slowest of them."""
    name = f"{kind}-attack"
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "control_abuser.py")
    attackers = [lab.spawn("node", [*READER, "/usr/bin/python3", script, agent.socket, kind, count], f"{name}{i}")
                 for i in range(processes)]
    asked, slowest = 0, 0.0
    while any(attacker.poll() is None for attacker in attackers) or asked == 0:
        for verb in ("pause", "status", "resume"):
            begin = time.monotonic()
            agent.call(verb)
            slowest = max(slowest, time.monotonic() - begin)
            asked += 1
    outcomes = []
    for i, attacker in enumerate(attackers):
        said = lab.log(f"{name}{i}")
        check_equal(attacker.returncode, 0, f"{name} {i}: {said}")
        outcomes.append(json.loads(said))
    connected = sum(o["connected"] for o in outcomes)
    check_equal(connected, count * processes, "connections of the attackers")
    note(f"{kind}: {connected} connections, {sum(o['answered'] for o in outcomes)} of them answered; "
         f"an operator asked {asked} times meanwhile, the slowest took {slowest:.2f} s")
    return slowest


@case("half-open, garbage, deaf and busy readers: an operator is served all the while, traffic goes on, nothing leaks")
def siege():
    need_command("setpriv")
    with Lab() as lab:
        Recorder(lab, "v1")
        v2 = Recorder(lab, "v2")
        with setup_agent(lab, "--group", GROUP) as agent:
            os.chown(lab.dir, -1, GROUP)
            os.chmod(lab.dir, 0o750)
            loader = agent.child.pid
            before = len(os.listdir(f"/proc/{loader}/fd")), agent.rss()
            for kind, count, processes in (("half", 5000, 2), ("garbage", 40, 2), ("deaf", 500, 2), ("busy", 25, 4)):
                slowest = besiege(lab, agent, kind, count, processes)
                check(slowest < PATIENCE, f"{kind}: an operator waited {slowest:.1f} s")
            wait_for(lambda: len(os.listdir(f"/proc/{loader}/fd")) <= before[0], 10, "descriptors back at their count")
            note(f"descriptors {before[0]}, resident {before[1] >> 20} MiB before and {agent.rss() >> 20} MiB after")
            counted = v2.counts()["requests"]
            check_unharmed(Driver(lab, lab.addr("v1"), requests=50, connections=2, mix="single=1", tag="a").result())
            wait_requests([v2], counted + 50, 10)
            agent.settled_ledger()
            refused = re.findall(r" result=refused", agent.log())
            check_equal(refused, [], "an operator's refused changes")


if __name__ == "__main__":
    main()
