#!/usr/bin/python3
"""What is not plain HTTP/1.1 is mirrored whole or not at all, and counted; v1 never notices."""
import json
import random
import ssl
import time

from agent import dropped_requests
from case import case, check, check_equal, main, note
from lab import HERE, PYTHON, Lab
from scene import setup_agent


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="httpbin").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class Stage:
    """Raw sinks as v1 and v2, an agent; send() is one client connection."""

    def __init__(self, lab, *args):
        self.lab = lab
        for role in ("v1", "v2"):
            lab.spawn(role, [PYTHON, HERE / "raw_peer.py", "serve", role, lab.addr(role), 8080], role)
            lab.wait_port(role, lab.addr(role), 8080)
        self.agent = setup_agent(lab, *args)

    def send(self, pieces, ending="half"):
        argv = [PYTHON, HERE / "raw_peer.py", "send", self.lab.addr("v1"), 8080, ending]
        done = self.lab.exec("client", argv, input=json.dumps([p.hex() for p in pieces]) + "\n")
        told = json.loads(done.stdout)
        check(told["answers"].replace("v1 ok\n", "") == "", f"an answer that is not v1's: {told['answers'][:100]!r}")
        return told

    def received(self, role, count=0, timeout=3.0):
        """What a sink's finished connections received; waits for count of them."""
        deadline = time.monotonic() + timeout
        while True:
            lines = [json.loads(line) for line in self.lab.log(role).splitlines() if line.startswith("{")]
            if len(lines) >= count or time.monotonic() > deadline:
                return lines
            time.sleep(0.05)

    def row(self):
        return self.agent.rule(self.agent.settled_ledger())


@case("TLS: counted as such, not a byte reaches v2")
def tls():
    with Lab() as lab:
        stage = Stage(lab)
        with stage.agent:
            hello = client_hello()
            check(len(hello) > 100 and hello[0] == 0x16, "no ClientHello was made")
            for _ in range(3):
                stage.send([hello, b"\x17\x03\x03\x00\x10" + b"e" * 16])
            stage.send([hello, *[b"\x17\x03\x03\x00\x10" + b"e" * 16] * 1000])  # the first few are cloned still
            row = stage.row()
        check_equal([c for c in stage.received("v2") if c["bytes"]], [], "connections with bytes at v2")
        check_equal(row["dropped"].get("tls", {}).get("flows"), 4, f"flows counted as TLS in {row['dropped']}")
        muted = row["kernel"]["dropped"].get("muted", {}).get("packets", 0)
        check(muted > 0, "the kernel went on cloning packets of a TLS connection")


def whole_or_absent(stage, told, what):
    """v2 received nothing of a connection, or all of it; returns which."""
    row = stage.row()
    got = [c for c in stage.received("v2", 1, timeout=1) if c["bytes"]]
    if got:
        check_equal([(c["bytes"], c["sha256"]) for c in got], [(told["sent"], told["sha256"])], f"{what} at v2")
        return "mirrored whole"
    lost = {reason: d["bytes"] for reason, d in row["dropped"].items() if d["bytes"]}
    lost |= {reason: d["bytes"] for reason, d in row["kernel"]["dropped"].items() if d["bytes"]}  # muted in time
    check(sum(lost.values()) >= told["sent"], f"{what}: absent at v2, but only {lost} bytes are counted as dropped")
    return f"not mirrored, counted: {lost}"


@case("other protocols: mirrored byte for byte, or counted")
def other_protocols():
    binary = random.Random(7).randbytes(50000)
    samples = {
        "redis": [b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"],
        "binary": [b"\x00\x01\x02" + binary[:10000], binary[10000:]],
        "http2": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", b"\0\0\0\4\1\0\0\0\0"],
        "smtp": [b"EHLO client\r\n", b"QUIT\r\n"],
    }
    for name, pieces in samples.items():
        with Lab() as lab:
            stage = Stage(lab)
            with stage.agent:
                note(f"{name}: {whole_or_absent(stage, stage.send(pieces), name)}")


@case("requests that two servers may read differently are not mirrored, and counted as ambiguous")
def ambiguous():
    body = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: v1\r\n\r\n"
    heads = {
        "length and chunked": b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(body),
        "two lengths": b"Content-Length: %d\r\nContent-Length: 5\r\n" % len(body),
        "folded field": b"X-Folded: a\r\n b\r\nContent-Length: %d\r\n" % len(body),
        "space before the colon": b"Content-Length : %d\r\n" % len(body),
    }
    for name, fields in heads.items():
        with Lab() as lab:
            stage = Stage(lab)
            with stage.agent:
                stage.send([b"POST /p HTTP/1.1\r\nHost: v1\r\n" + fields + b"\r\n" + body])
                row = stage.row()
            at_v2 = [c["text"] for c in stage.received("v2", 1, timeout=0.5) if c["bytes"]]
            check_equal(at_v2, [], f"{name}: bytes at v2")
            reasons = {r for r, d in row["dropped"].items() if any(d.values())}
            check(reasons & {"http_ambiguous", "http_invalid"}, f"{name}: counted as {row['dropped']}")
            note(f"{name}: {sorted(reasons)}")


@case("a client that closes or resets inside a request: v2 never takes it for a whole one; counted")
def cut_short():
    for ending, reasons in (("half", {"client_closed"}), ("close", {"client_closed", "client_reset"}),
                            ("reset", {"client_reset"})):
        with Lab() as lab:
            stage = Stage(lab)
            with stage.agent:
                stage.send([b"POST /cut HTTP/1.1\r\nHost: v1\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500], ending)
                row = stage.row()
            for connection in stage.received("v2", 1, timeout=1):
                check(connection["bytes"] < 1000, f"{ending}: v2 received {connection}")
            check(set(dropped_requests(row)) & reasons, f"{ending}: counted as {row['dropped']}")
            check_equal(row["mirrored"]["requests"], 0, f"{ending}: mirrored requests")
            note(f"{ending}: {dropped_requests(row)}")


@case("after an upgrade or CONNECT no tunnel byte is taken for a request")
def tunnels():
    frames = b"\x81\x05hello" + b"GET /not-a-request HTTP/1.1\r\nHost: x\r\n\r\n"
    starts = {
        "upgrade": b"GET /ws HTTP/1.1\r\nHost: v1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "connect": b"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n",
    }
    for name, start in starts.items():
        with Lab() as lab:
            stage = Stage(lab)
            with stage.agent:
                stage.send([start, frames])
                row = stage.row()
            for connection in stage.received("v2", 1, timeout=0.5):
                text = connection["text"]
                alone = "not-a-request" in text and not text.startswith(start.decode())
                check(not alone, f"{name}: v2 received {text!r}")
            note(f"{name}: mirrored {row['mirrored']['requests']}, dropped {sorted(row['dropped'])}")


if __name__ == "__main__":
    main()
