#!/usr/bin/python3
"""Floods: SYNs of strangers beside real traffic, flows with holes beside a dead mirror, and frames with wrong bytes
through a device where the program is attached. What is real is not lost, memory is bounded, no frame is changed."""
import json
import re
import subprocess
import threading
import time

from agent import PAGE, alive, imbalances
from battery import Load, Stand, check_mirror, check_origin, instrument, quantiles, size
from case import case, check, check_equal, check_none, main, note
from lab import Lab, die_with_parent, run, wait_for
from scene import setup_agent

STRANGERS = "10.99.0.0/16"
MIB = 1 << 20


def mac_of(lab, role, device):
    return lab.exec(role, ["cat", f"/sys/class/net/{device}/address"]).stdout.strip()


def pid_of(agent, role="terminator"):
    return next(row["pid"] for row in agent.json("status")["processes"] if row["role"] == role)


def rss_of(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * PAGE


class Watch(threading.Thread):
    """The largest resident size of a process while it lasts."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.first, self.most, self.over = pid, rss_of(pid), 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            self.most = max(self.most, rss_of(self.pid))

    def growth(self):
        self.over.set()
        self.join()
        check(alive(self.pid), f"process {self.pid} has ended")
        return max(self.most, rss_of(self.pid)) - self.first


def gun(lab, what, *numbers, timeout=600):
    """Fires packets between strangers and v1; returns their number."""
    argv = [instrument("packet_gun"), what, f"/run/netns/{lab.ns('client')}", f"/run/netns/{lab.ns('v1')}",
            mac_of(lab, "node", "to-client"), mac_of(lab, "node", "to-v1"), lab.addr("v1"), 8080, *numbers]
    return int(run(argv, timeout=timeout).stdout)


def kernel_drops(row):
    return {reason: d["packets"] for reason, d in row["kernel"]["dropped"].items() if d["packets"]}


def all_reach(load, mirror, flows):
    """Each of so many connections takes its turn: of the latest requests all are at the mirror a moment later."""
    latest = {r.id for r in load.records()[-flows:]}
    time.sleep(0.5)
    return latest <= {r.id for r in mirror.records()}


@case("SYNs of ever new strangers beside live connections: none of those is lost, none of these gets to v2")
def syn_flood():
    with Lab() as lab:
        v1, v2 = Stand(lab, "v1"), Stand(lab, "v2")
        lab.ip("node", "route", "add", STRANGERS, "via", lab.addr("client"))
        lab.ip("client", "route", "add", "blackhole", STRANGERS)
        flows, syns = size("live_flows"), size("syns")
        with setup_agent(lab) as agent:
            load = Load(lab, requests=flows * 10, rate=1000, connections=flows, per_connection=0, stay=True)
            wait_for(lambda: v2.requests() >= flows * 2, 30, "requests of all live flows at v2")
            watch = Watch(pid_of(agent))
            begin, before = time.monotonic(), load.done()
            check_equal(gun(lab, "syn", syns, 100_000), syns, "SYNs sent")
            seconds = time.monotonic() - begin
            during = load.done() - before
            wait_for(lambda: all_reach(load, v2, flows), 120, "the latest request of each connection at v2", step=0.1)
            growth = watch.growth()
            result = load.end()
            sent = load.records()
            row = agent.rule(agent.settled_ledger())
        check_origin(sent, v1)
        got = v2.records()
        check_mirror(sent, got)
        lost = kernel_drops(row)
        note(f"{syns} SYNs in {seconds:.1f} s beside {during} requests on {flows} flows (p50/p99 {quantiles(sent)} "
             f"ms); {result['answered']} answered, {len(got)} at v2 on {v2.connections()} connections; terminator "
             f"+{growth / MIB:.1f} MiB; dropped by the kernel's side: {lost}, by the terminator: {row['dropped']}")
        check_equal(result["connects"], flows, "connections of the client")
        # Where the machine is too slow for the flood a queue overflows, and takes a request for a packet at most.
        overflow = lost.get("queue_full", 0) + lost.get("ring_full", 0)
        check(len(sent) - len(got) <= overflow, f"{len(sent) - len(got)} requests missing, {overflow} packets lost")
        check(flows <= v2.connections() <= flows + len(sent) - len(got), f"{v2.connections()} mirrored connections")
        check(growth <= 64 * MIB, f"the terminator grew by {growth / MIB:.1f} MiB")


@case("flows with holes beside a dead mirror: memory stays below its limit, what is shed is counted, the ledger closes")
def holes():
    count, memory = size("holes"), size("holes_memory")
    cap = memory + memory // 2
    with Lab() as lab:
        lab.exec("v1", ["nft", "-f", "-"], input="add table ip t\n"
                 "add chain ip t c { type filter hook input priority 0; }\n"
                 f"add rule ip t c ip saddr {STRANGERS} drop\n")  # its packets are made by hand
        lab.ip("node", "route", "add", STRANGERS, "via", lab.addr("client"))
        lab.ip("client", "route", "add", "blackhole", STRANGERS)
        limits = ("--workers", "1", "--limit", f"reassembly_memory={memory}M",
                  "--limit", f"queue_memory={cap - memory}M",
                  "--limit", f"flow_idle={size('holes_idle')}s", "--limit", f"flow_closing={size('holes_idle')}s")
        with setup_agent(lab, *limits) as agent:
            watch = Watch(pid_of(agent))
            sent = gun(lab, "holes", count, 60_000, 3, 1000)
            time.sleep(0.5)
            check_none(imbalances(agent.ledger()), "the ledger while the holes are open")
            growth = watch.growth()
            row = agent.rule(agent.settled_ledger(timeout=30 + 2 * size("holes_idle")))
            drops = {reason: (d["flows"], d["requests"], d["bytes"]) for reason, d in row["dropped"].items()}
            note(f"{count} flows, {sent} packets; terminator +{growth / MIB:.1f} MiB, its limits {memory} MiB for "
                 f"reassembly and {cap - memory} MiB for mirrors; {row['seen']['flows']} flows seen; "
                 f"dropped (flows, requests, bytes): {drops}; by the kernel's side: {kernel_drops(row)}")
            check(row["seen"]["flows"] > count // 2, f"only {row['seen']['flows']} of {count} flows were seen")
            check(drops.get("memory"), f"nothing was shed for want of memory: {drops}")
            check_equal(row["mirrored"]["requests"], 0, "requests at a dead mirror")
            check(growth <= cap * MIB * 1.05, f"the terminator grew by {growth / MIB:.1f} MiB")
            check_equal(agent.json("status")["restarts"], 0, "restarts of the terminator")


def kernel_warnings():
    text = run(["dmesg"], check=False).stdout
    return [line for line in text.splitlines() if re.search(r"WARNING: |BUG: |Oops: |general protection|cut here", line)]


def wild(lab, seed):
    """One run of wire_check over the bridge; the node's TAP is a port of it meanwhile."""
    argv = lab.argv("node", [instrument("wire_check"), f"/run/netns/{lab.ns('v1')}", mac_of(lab, "v1", "eth0"),
                             f"{lab.addr('client')}:40000", f"{lab.addr('v1')}:8080", size("wild_frames"), seed])
    child = subprocess.Popen(argv, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=die_with_parent)
    lab.children.append(child)
    check_equal(child.stdout.readline(), "ready\n", "the first line of wire_check")
    lab.ip("node", "link", "set", "wild", "master", "br0")
    lab.ip("node", "link", "set", "wild", "up")
    yield
    out, _ = child.communicate("go\n", timeout=900)
    check_equal(child.returncode, 0, "exit code of wire_check")
    yield json.loads(out)


@case("frames with wrong bytes through a TAP and back, the program attached: all arrive as without it, unchanged")
def wild_frames():
    with Lab(layout="bridge") as lab:
        lab.sysctl("node", "net/ipv6/conf/all/disable_ipv6", 1)  # no frames of the node's own
        lab.sysctl("v1", "net/ipv6/conf/all/disable_ipv6", 1)
        for family in ("ip", "ip6", "arp"):  # it would drop what is no proper packet
            lab.sysctl("node", f"net/bridge/bridge-nf-call-{family}tables", 0, must=False)
        warnings, seed = kernel_warnings(), 7
        agent = setup_agent(lab)
        results, begin = [], time.monotonic()
        for attached in (False, True):
            steps = wild(lab, seed)
            next(steps)
            if attached:
                agent.start()
                points = {point["device"] for point in agent.json("status")["attach_points"]}
                check("wild" in points, f"the program is not attached to the TAP: {points}")
            results.append(next(steps))
        row = agent.rule(agent.ledger())
        seconds = time.monotonic() - begin
        for process in agent.json("status")["processes"]:
            check(alive(process["pid"]), f"{process['role']} has ended")
        check_equal(agent.json("status")["restarts"], 0, "restarts of the terminator")
        check_none(imbalances(agent.ledger()), "the ledger does not close")
        agent.stop()
        plain, watched = results
        for way in ("there", "back"):
            check_equal(watched[way], plain[way], f"frames {way}, with the program against without")
            check_equal(watched[way]["altered"], 0, f"altered frames {way}")
            check(watched[way]["arrived"] > watched[way]["sent"] * 0.8, f"few frames arrived {way}: {watched[way]}")
        met = row["kernel"]["seen"]["packets"] + row["kernel"]["server"]["packets"]
        check(met > size("wild_frames") // 20, f"only {met} of the frames were of the rule")
        check_equal(kernel_warnings(), warnings, "the kernel's warnings")
        note(f"twice {size('wild_frames')} frames in {seconds:.1f} s: {watched['there']['arrived']} of "
             f"{watched['there']['sent']} arrived there, "
             f"{watched['back']['arrived']} of {watched['back']['sent']} back, "
             f"0 altered, the same with and without the program; {met} met the rule, "
             f"{row['kernel']['cloned']['packets']} cloned")


if __name__ == "__main__":
    main()
