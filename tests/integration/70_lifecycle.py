#!/usr/bin/python3
"""Ends cleanly: SIGTERM, SIGINT and SIGKILL leave nothing of ours behind, tcx and clsact; foreign programs stay."""
import shutil
import signal

import kernel_state
from agent import binary
from case import Skip, case, check, check_equal, check_none, main, need_command, note
from lab import PYTHON, Lab, run, wait_for
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent


def one_life(lab, v2, attach, ending):
    """Start, mirror, end in the given way, and start again at once."""
    before = kernel_state.dump(lab)
    agent = setup_agent(lab, "--attach", attach)
    for turn in (1, 2):
        agent.start()
        check(kernel_state.differences(before, kernel_state.dump(lab)), "the running agent shows nowhere in the dump")
        count = v2.counts()["requests"]
        load = Driver(lab, lab.addr("v1"), requests=100, connections=4, tag=f"{attach}{ending.name}{turn}")
        check_unharmed(load.result())
        wait_requests([v2], count + 100, 10)
        check(v2.counts()["requests"] >= count + 100, f"life {turn}: not everything was mirrored")
        if ending == signal.SIGKILL:
            agent.kill_main()
        else:
            check_equal(agent.stop(ending), 0, f"exit code on {ending.name}")
        agent.check_gone()
        try:
            wait_for(lambda: kernel_state.dump(lab) == before, 2, "the node as it was")
        except Exception:  # the differences say what is left
            check_none(kernel_state.differences(before, kernel_state.dump(lab)), f"left by {ending.name}, {attach}")
        check(not agent.socket.exists() or ending == signal.SIGKILL, "the control socket was left behind")


def all_endings(attach):
    with Lab() as lab:
        Recorder(lab, "v1")
        v2 = Recorder(lab, "v2")
        for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            one_life(lab, v2, attach, ending)


@case("tcx: SIGTERM, SIGINT and SIGKILL leave no program, filter, qdisc, device or route; a second start works at once")
def endings_tcx():
    if not kernel_state.has_tcx():
        raise Skip("the kernel has no tcx")
    all_endings("tcx")


@case("clsact: the same")
def endings_clsact():
    all_endings("clsact")


@case("tcx: SIGKILL to all of the agent's processes at once leaves nothing either")
def all_processes_killed():
    if not kernel_state.has_tcx():
        raise Skip("the kernel has no tcx")
    with Lab() as lab:
        before = kernel_state.dump(lab)
        agent = setup_agent(lab, "--attach", "tcx")
        for _ in range(3):
            agent.start()
            agent.kill_all()
            agent.check_gone()
            check_none(kernel_state.differences(before, kernel_state.dump(lab)), "left behind")


@case("clsact: leftovers of an agent whose processes were all killed are cleaned by the next one")
def clsact_leftovers():
    with Lab() as lab:
        before = kernel_state.dump(lab)
        agent = setup_agent(lab, "--attach", "clsact").start()
        agent.kill_all()
        agent.start()
        agent.stop()
        after = kernel_state.dump(lab)
        kept = [line for line in after["tc qdisc"].splitlines() if "clsact" in line and line not in before["tc qdisc"]]
        if kept:  # whose it was cannot be known any more; an empty one does nothing
            note(f"the empty qdisc stays: {kept}")
            after["tc qdisc"] = "\n".join(line for line in after["tc qdisc"].splitlines() if line not in kept) + "\n"
        check_none(kernel_state.differences(before, after), "left behind by the second agent")


@case("a foreign clsact qdisc, its filter and a foreign tcx program are the same before, during and after")
def foreign_stays():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        for device in ("to-v1", "to-client"):
            lab.exec("node", ["tc", "qdisc", "add", "dev", device, "clsact"])
            done = lab.exec("node", ["tc", "filter", "add", "dev", device, "ingress", "prio", "1", "u32",
                                     "match", "u32", "0", "0", "flowid", "1:1"], check=False)
            if done.returncode:
                raise Skip("the kernel has no u32 classifier")
        if kernel_state.has_tcx():
            lab.spawn("node", [PYTHON, kernel_state.__file__, "to-v1"], "foreign")
            wait_for(lambda: "attached" in lab.log("foreign"), 5, "the foreign program")
        before = kernel_state.dump(lab)
        theirs = kernel_state.tcx(lab)["to-v1"]["ingress"]
        for attach in ("tcx", "clsact"):
            if attach == "tcx" and not kernel_state.has_tcx():
                continue
            with setup_agent(lab, "--attach", attach) as agent:
                count = v2.counts()["requests"]
                check_unharmed(Driver(lab, lab.addr("v1"), requests=100, connections=2, tag=attach).result())
                if attach == "tcx":  # by clsact their terminal filter at priority 1 hides the packets from us
                    wait_requests([v2], count + 100, 10)
                    check(v2.counts()["requests"] >= count + 100, f"{attach}: not everything was mirrored")
                during = kernel_state.dump(lab)
                filters = during["tc filter to-v1 ingress"]
                check_equal(filters.count("match 00000000/00000000"), 1, "their filter, during")
                check(set(theirs) <= set(kernel_state.tcx(lab)["to-v1"]["ingress"]), "their tcx program is gone")
                agent.stop()
            check_none(kernel_state.differences(before, kernel_state.dump(lab)), f"changed by {attach}")


@case("a start without privilege exits 4 with a hint, and leaves nothing")
def unprivileged():
    need_command("setpriv")
    with Lab() as lab:
        before = kernel_state.dump(lab)
        agent = setup_agent(lab)
        copy = lab.dir / "umbra"
        shutil.copy2(binary(), copy)
        files = [part for f in agent.files for part in ("-f", f)]
        done = lab.exec("node", ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all",
                                 "--bounding-set=-all", "--no-new-privs", copy, "run", *files,
                                 "--socket", "/tmp/umbra-nobody.sock"], check=False, timeout=20)
        check_equal(done.returncode, 4, f"exit code without privilege ({done.stderr.strip()})")
        check("CAP_" in done.stderr or "root" in done.stderr, f"no hint about privilege: {done.stderr}")
        check_none(kernel_state.differences(before, kernel_state.dump(lab)), "left behind")


@case("an invalid rule file exits 3 at start; a missing one too; a second agent on the same socket is refused")
def refused_starts():
    with Lab() as lab:
        before = kernel_state.dump(lab)
        agent = setup_agent(lab)
        bad = lab.dir / "bad.yaml"
        bad.write_text("kind: RouteRule\nspec: 7\n")
        argv = [binary(), "run", "-f", agent.files[0], "-f", bad, "--socket", agent.socket]
        check_equal(lab.exec("node", argv, check=False, timeout=20).returncode, 3, "exit code for an invalid file")
        argv[5] = lab.dir / "absent.yaml"
        check(lab.exec("node", argv, check=False, timeout=20).returncode in (1, 3), "a missing file was accepted")
        with agent:
            argv[5] = agent.files[1]
            done = lab.exec("node", argv, check=False, timeout=20)
            check(done.returncode == 1, f"a second agent on the same socket: exit {done.returncode}: {done.stderr}")
            agent.call("status")
        check_none(kernel_state.differences(before, kernel_state.dump(lab)), "left behind")


@case("the processes of the running agent: no capability where traffic is parsed, no privilege to gain, not dumpable")
def least_privilege():
    with Lab() as lab, setup_agent(lab) as agent:
        parsers = []
        for pid in agent.pids():
            with open(f"/proc/{pid}/status") as status:
                fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
            uid, caps = fields["Uid"].split()[1], int(fields["CapEff"], 16)
            note(f"{fields['Name']} {pid}: uid {uid}, CapEff {caps:#x}, NoNewPrivs {fields['NoNewPrivs']}, "
                 f"Seccomp {fields['Seccomp']}, {fields['Threads']} threads")
            check_equal(fields["NoNewPrivs"], "1", f"NoNewPrivs of {pid}")
            check(caps & ~((1 << 39) | (1 << 12)) == 0, f"{pid} holds more than CAP_BPF and CAP_NET_ADMIN: {caps:#x}")
            if caps == 0 and uid != "0":
                parsers.append(pid)
        check(parsers, "no process without capabilities: who parses the traffic?")


@case("twenty starts and ends leave no map, program or link behind")
def many_lives():
    def count():
        return {kind: len(run(["bpftool", kind, "show"]).stdout.split("umbra")) for kind in ("prog", "map", "link")}
    with Lab() as lab:
        agent = setup_agent(lab)
        for _ in range(20):
            agent.start()
            agent.stop()
        agent.check_gone()
        note(f"{len(agent.ids)} programs, maps and links were made and are gone; bpftool counts {count()}")


if __name__ == "__main__":
    main()
