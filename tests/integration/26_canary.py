#!/usr/bin/python3
"""The canary: clients that contradict themselves get the same answer from the primary's kernel with and without
the agent. What a receiver makes of contradictory overlap depends on whether it may merge the packets that it queues,
and it may not while somebody else holds them: so the bytes that the server's socket reads and the kernel's TcpExt
counters show whether the mirror holds anything. A socket that does hold clones must be noticed."""
import contextlib
import json
import os
import pathlib

from case import Skip, case, check, check_equal, main, note
from lab import ROOT, Lab
from overlap_player import Player, held_tap, tcp_ext
from peers import Recorder
from scene import setup_agent

# Counters that timers and the moment of reading move; all others must be equal.
MOVED_BY_TIME = {
    "DelayedACKs": "sent by a timer", "DelayedACKLocked": "the timer found the socket in use",
    "DelayedACKLost": "depends on when the delayed ACK was sent", "TCPBacklogCoalesce": "the socket was in use",
    "TCPTimeouts": "a timer", "TCPSpuriousRTOs": "a timer", "TCPLossProbes": "a timer", "TCPSynRetrans": "a timer",
    "TCPAutoCorking": "depends on the device's queue", "TCPRcvQDrop": "memory pressure of the machine",
}
PAGES = 4500  # bytes per letter: frames above a page are built of page fragments

# Adjacent segments that the kernel merges, then one that begins where the second did: whether it lies inside the
# merged one or begins with the second decides which bytes are read (".HHIQ", or ".HHQQ" if they were not merged).
MERGED = [[[1, "H" * n], [1 + n, "I" * m], [1 + n, "Q" * (m + k)], [0, "."]]
          for n in (1, 2, 3) for m in (1, 2) for k in (1, 2)]
HHIQ = [[1, "HH"], [3, "I"], [3, "QQ"], [0, "."]]


def vectors():
    corpora = pathlib.Path(os.environ.get("UMBRA_CORPORA", ROOT / ".." / "shared" / "corpora"))
    path = corpora / "linux_overlap_vectors.json"
    if not path.exists():
        raise Skip(f"{path} is not there")
    return [entry[0] for entry in json.loads(path.read_text())["vectors"]]


class Scene:
    """v1's socket, the client that plays to it and the device in between, in one of two layouts: behind the node (the
    program sits at the egress of its device) or on the node itself (ingress)."""

    def __init__(self, lab, stack):
        self.lab = lab
        self.v2 = Recorder(lab, "v2")
        self.namespace = lab.ns("v1")
        self.tap_place = ("node", lab.dev("client")) if lab.layout == "host" else ("v1", "eth0")
        for role, device in [("node", lab.dev(r)) for r in lab.peers] + [(r, "eth0") for r in lab.peers]:
            lab.ip(role, "link", "set", device, "mtu", "65000")
        source = lab.addr("client").rsplit(".", 1)[0] + ".77"
        # On the node itself connections of the agent would count in the same namespace: a request that is never whole
        # makes none.
        self.preamble = b"GET /never-ending" if lab.layout == "host" else b""
        self.player = Player(lab, "v1", lab.addr("v1"), source)
        stack.callback(self.player.close)

    def batch(self, scripts, unit):
        """What the server's socket read for each script, and by how much the counters moved."""
        before = tcp_ext(self.namespace)
        read = [self.player.play(2000 + i % 60000, script, unit, self.preamble) for i, script in enumerate(scripts)]
        after = tcp_ext(self.namespace)
        return read, {name: after[name] - before[name] for name in after if name not in MOVED_BY_TIME}


@contextlib.contextmanager
def scene(layout):
    with Lab(layout) as lab, contextlib.ExitStack() as stack:
        yield Scene(lab, stack)


def letters_of(data, unit):
    """Of each letter the first byte; the whole run must be of it."""
    return "".join(chr(data[i]) if data[i:i + unit] == data[i:i + 1] * unit else "?" for i in range(0, len(data), unit))


def differences(scripts, one, other, unit):
    return [f"{script}: {letters_of(a, unit)} and {letters_of(b, unit)}"
            for script, a, b in zip(scripts, one[0], other[0]) if a != b]


def moved(one, other):
    return {name: (one[1][name], other[1][name]) for name in one[1] if one[1][name] != other[1][name]}


def compare_with_agent(layout, scripts, unit):
    packets = sum(len(script) for script in scripts)
    with scene(layout) as place:
        place.batch(scripts[:3], unit)  # the first connections resolve addresses
        without = place.batch(scripts, unit)
        with setup_agent(place.lab) as agent:
            mirrored = place.batch(scripts, unit)
            kernel = agent.rule(agent.ledger())["kernel"]
            conflicts = agent.rule(agent.ledger())["dropped"].get("overlap_conflict", {}).get("flows", 0)
    muted = kernel["dropped"].get("muted", {}).get("packets", 0)
    full = kernel["dropped"].get("queue_full", {}).get("packets", 0)
    check(kernel["cloned"]["packets"] + muted + full >= packets, f"the agent saw {kernel}, {packets} were sent")
    check(kernel["cloned"]["packets"] >= packets / 2, f"the agent cloned {kernel} only")
    check_equal(differences(scripts, without, mirrored, unit), [], "scripts with other bytes at the primary")
    check_equal(moved(without, mirrored), {}, "TcpExt counters (without, with the agent)")
    busy = sorted(name for name, by in without[1].items() if by)
    note(f"{len(scripts)} scripts, {unit} bytes per letter: equal bytes and {len(without[1])} equal counters; "
         f"{kernel['cloned']['packets']} packets cloned, {conflicts} flows in conflict; moved: {', '.join(busy)}")
    return without


@case("small packets, v1 behind the node: the same bytes and counters with and without the agent")
def small_packets():
    compare_with_agent("routed", MERGED + vectors()[::3], 1)


@case("packets of page fragments, v1 behind the node: the same bytes and counters")
def page_fragments():
    compare_with_agent("routed", MERGED + vectors()[::20], PAGES)


@case("v1 on the node itself: the same bytes and counters with small packets and with page fragments")
def at_ingress():
    compare_with_agent("host", MERGED + vectors()[1::4], 1)
    compare_with_agent("host", MERGED + vectors()[::20], PAGES)


@case("the script that tells: .HHIQ with and without the agent, .HHQQ when a socket holds clones")
def positive_control():
    for layout in ("routed", "host"):
        without = compare_with_agent(layout, MERGED + [HHIQ], 1)
        check_equal(letters_of(without[0][-1], 1), ".HHIQ", "what the kernel makes of the script")
        with scene(layout) as place:
            place.batch(MERGED[:3], 1)
            with held_tap(place.lab, *place.tap_place):
                held = place.batch(MERGED + [HHIQ], 1)
        changed = differences(MERGED + [HHIQ], without, held, 1)
        check_equal(letters_of(held[0][-1], 1), ".HHQQ", "what it makes of it while a socket holds the packets")
        check(moved(without, held), "a socket that holds clones moves no counter")
        note(f"{layout}: a held socket changes {len(changed)} of {len(MERGED) + 1} scripts and {moved(without, held)}")


if __name__ == "__main__":
    main()
