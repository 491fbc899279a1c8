#!/usr/bin/python3
"""Large uploads: 64 MiB bodies arrive with the same hash while the agent's memory stays flat."""
import compare
from case import Skip, case, check, check_equal, check_none, main, note
from lab import Lab, run
from peers import Recorder, check_exact_ledger, check_mirrored, drive
from scene import setup_agent

MIB = 1024 * 1024
SIZE = 64 * MIB
GROWTH = 96 * MIB  # far below one body; queues and buffers in use


def upload(lab, agent, count, connections, rate):
    v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
    with agent:
        idle = agent.rss()
        with agent.watch_rss() as samples:
            sent, result = drive(lab, lab.addr("v1"), requests=count, connections=connections, upload=SIZE, rate=rate)
            everything = check_mirrored(sent, v1, [v2], timeout=60)
        check_exact_ledger(agent, v1, everything)
    peak, last = max(samples), samples[-1]
    note(f"{count} x 64 MiB in {result['seconds']:.1f} s ({result['bytes'] / result['seconds'] / 1e6:.0f} MB/s); "
         f"agent {idle / MIB:.0f} MiB at rest, at most {peak / MIB:.0f} MiB, {last / MIB:.0f} MiB at the end")
    check(peak - idle <= GROWTH, f"the agent grew by {(peak - idle) / MIB:.0f} MiB")


@case("one upload after the other, with an identical hash at v2 and flat memory")
def sequential_uploads():
    with Lab() as lab:
        upload(lab, setup_agent(lab), count=8, connections=1, rate=1.5)


@case("two clients upload side by side at about 100 MB/s")
def parallel_uploads():
    with Lab() as lab:
        upload(lab, setup_agent(lab), count=8, connections=2, rate=1.5)


def bursts(lab, count, connections, family=4, rate=0, args=()):
    """Uploads at full speed: what is mirrored is whole, the rest is counted, memory stays bounded."""
    v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
    with setup_agent(lab, *args) as agent:
        idle = agent.rss()
        with agent.watch_rss() as samples:
            sent, result = drive(lab, lab.addr("v1", family), requests=count, connections=connections, upload=SIZE,
                                 rate=rate)
        ledger = agent.settled_ledger(timeout=20)
        row = agent.rule(ledger)
        at_v2 = v2.requests()
    check_none(compare.identical(sent, v1.requests(), "v1"), "the origin's requests")
    check_none(compare.honest(sent, at_v2, "v2"), "the mirror's requests")
    check_equal(row["mirrored"]["requests"], len(at_v2), "mirrored requests against the mirror's records")
    note(f"{result['bytes'] / result['seconds'] / 1e6:.0f} MB/s, {len(at_v2)} of {count} mirrored, "
         f"dropped {row['dropped']}, at most {max(samples) / MIB:.0f} MiB")
    check(at_v2 or row["kernel"]["dropped"] or row["dropped"], "nothing was mirrored, and nothing says why")
    check(max(samples) - idle <= 4 * GROWTH, f"the agent grew by {(max(samples) - idle) / MIB:.0f} MiB")
    return ledger


def allow_big_tcp(lab):
    for role, device in (("client", "eth0"), ("node", "to-client")):
        done = run(["ip", "-n", lab.ns(role), "link", "set", "dev", device, "gso_max_size", "185000",
                    "gro_max_size", "185000"], check=False)
        if done.returncode:
            raise Skip("this kernel or iproute2 has no BIG TCP")


@case("BIG TCP: IPv6 super-segments above 64 KB are mirrored whole, or counted")
def big_tcp():
    with Lab("host") as lab:  # a forwarding kernel sends "packet too big" for them
        allow_big_tcp(lab)
        before = lab.traffic("node", "to-client")
        bursts(lab, count=4, connections=1, family=6, rate=1.5)
        packets, size = (after - first for after, first in zip(lab.traffic("node", "to-client"), before))
        note(f"{size / packets:.0f} bytes per packet on average")
        if size / packets <= 65536:
            raise Skip("exact, but the kernel made no packet above 64 KB")


@case("a queue that overflows in the middle of a cut super-segment: the account closes by what arrived")
def big_tcp_overflow():
    with Lab("host") as lab:
        allow_big_tcp(lab)
        before = lab.traffic("node", "to-client")
        ledger = bursts(lab, count=2, connections=1, family=6, args=("--limit", "capture_queue=64"))
        packets, size = (after - first for after, first in zip(lab.traffic("node", "to-client"), before))
        note(f"{size / packets:.0f} bytes per packet, hand-over: {ledger['capture']}")
        if size / packets <= 65536:
            raise Skip("exact, but the kernel made no packet above 64 KB")
        check(ledger["capture"]["unreported"] != 0, "no super-segment was cut, or every piece of them found room")


@case("uploads at full speed: what is mirrored is whole, the rest is counted, memory stays bounded")
def full_speed():
    with Lab() as lab:
        bursts(lab, count=20, connections=2)


if __name__ == "__main__":
    main()
