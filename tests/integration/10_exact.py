#!/usr/bin/python3
"""Every request reaches v2 once, byte for byte, in order per connection; v1 answers all; the ledger agrees."""
from case import case, check, check_equal, main, note
from lab import Lab
from peers import Recorder, check_exact_ledger, check_mirrored, drive
from scene import mirror_exactly, setup_agent


MIXED = {"connections": 24, "reconnect": 150, "rude": True}


@case("10,000 mixed requests over IPv4 arrive at v2 byte-identical, in order, none missing, none twice")
def mixed_ipv4():
    with Lab() as lab:
        mirror_exactly(lab, setup_agent(lab), 4, 10000, seed="ipv4", **MIXED)


@case("10,000 mixed requests over IPv6")
def mixed_ipv6():
    with Lab() as lab:
        mirror_exactly(lab, setup_agent(lab), 6, 10000, seed="ipv6", **MIXED)


@case("pipelines of up to 100 requests, in one segment or cut anywhere")
def pipelined():
    with Lab() as lab:
        mirror_exactly(lab, setup_agent(lab), 4, 4000, seed="pipe", connections=8, mix="pipelined=1", reconnect=500)


@case("the request head in two segments, cut at every byte")
def split_heads():
    with Lab() as lab:
        mirror_exactly(lab, setup_agent(lab), 4, 2500, seed="split", connections=4, mix="split=1")


@case("client, v1 and v2 on a bridge, with --iface naming v1's port")
def bridge():
    with Lab("bridge") as lab:
        for family in (4, 6):
            mirror_exactly(lab, setup_agent(lab, "--iface", lab.dev("v1")), family, 1500, seed="bridge", **MIXED)


@case("packets whose offloads are off: small segments with full checksums")
def no_offloads():
    with Lab() as lab:
        for role in ("client", "v1", "v2"):
            lab.exec(role, ["ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off", "tx", "off"])
        mirror_exactly(lab, setup_agent(lab), 4, 1500, seed="plain", **MIXED)


@case("a new connection for each request")
def connection_per_request():
    with Lab() as lab:
        row = mirror_exactly(lab, setup_agent(lab), 4, 1500, seed="single", connections=8, reconnect=1,
                             mix="single=8,large=1")
        check_equal(row["seen"]["flows"], 1500, "flows seen")


@case("packets lost before and behind the hook, in both directions, change nothing at v2")
def lossy_path():
    with Lab() as lab:
        for role, hook in (("node", "forward"), ("v1", "input"), ("client", "input")):
            lab.set_loss(role, hook, 0.5)
        row = mirror_exactly(lab, setup_agent(lab), 4, 2000, seed="lossy", **MIXED)
        check(row["dropped"].get("duplicate", {}).get("bytes"), "no byte was seen twice: the path lost nothing")


@case("1, 2 and 4 workers give the same result")
def workers():
    with Lab() as lab:
        for count in (1, 2, 4):
            row = mirror_exactly(lab, setup_agent(lab, "--workers", count), 4, 2500, seed=f"workers{count}", **MIXED)
            check(row["mirrored"]["requests"] >= 2500, f"{count} workers mirrored {row['mirrored']}")


@case("three endpoints in the mirror's subset share the connections; each connection stays on one")
def several_endpoints():
    with Lab(mirrors=3) as lab:
        v1 = Recorder(lab, "v1")
        mirrors = [Recorder(lab, role) for role in lab.mirrors]
        with setup_agent(lab, mirrors=lab.mirrors) as agent:
            sent, _ = drive(lab, lab.addr("v1"), requests=3000, seed="several", connections=24, reconnect=60)
            everything = check_mirrored(sent, v1, mirrors)
            check_exact_ledger(agent, v1, everything)
        shares = [m.counts()["requests"] for m in mirrors]
        check(all(share > 0 for share in shares), f"an endpoint got nothing: {shares}")
        note(f"shares of the endpoints: {shares}")


if __name__ == "__main__":
    main()
