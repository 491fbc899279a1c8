#!/usr/bin/python3
"""HTTP/2 by nghttp, h2load and curl against a recording server: each stream arrives at v2 with its headers in their
order, its body and its trailers; or not, and is counted.
"""
import collections
import contextlib
import hashlib
import random
import re
import time

from agent import dropped_requests
from case import case, check, check_equal, main, need_command, need_module, note
from lab import Lab, LabError, wait_for
from peers import H2Recorder, Recorder, check_unharmed, Driver, wait_requests
from scene import setup_agent

PORT = 8080
TROUBLE = {"mirror_refused", "mirror_reset", "mirror_closed", "response_timeout", "breaker_open", "connect_failed",
           "connect_refused"}


class Stage:
    """Recorders as v1 and v2, with or without an agent, and the clients."""

    def __init__(self, lab, v2=None, v2_args=(), agent_args=()):
        need_module("h2")
        need_command("nghttp", "h2load", "curl")
        self.lab = lab
        self.v1 = H2Recorder(lab, "v1")
        self.v2 = v2 or H2Recorder(lab, "v2", args=v2_args)
        self.agent = setup_agent(lab, *agent_args)
        self.url = f"http://{lab.addr('v1')}:{PORT}"
        self.body = lab.dir / "body"
        self.body.write_bytes(random.Random(38).randbytes(300_000))

    def nghttp(self, *args, path="/nghttp"):
        done = self.lab.exec("client", ["nghttp", "-nv", *args, f"{self.url}{path}"])
        return len(re.findall(r":status: 200", done.stdout))

    def h2load(self, count, *args, paths=("/load",)):
        """Runs h2load; every request must succeed."""
        uris = [f"{self.url}{path}" for path in paths]
        done = self.lab.exec("client", ["h2load", "-n", count, *args, *uris], timeout=90)
        found = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored", done.stdout)
        check(found and found.groups() == (str(count), str(count), "0", "0"), f"h2load says {done.stdout[-800:]}")

    def curl(self, *args, path="/curl"):
        return self.lab.exec("client", ["curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w",
                                        "%{http_version} %{http_code}", *args, f"{self.url}{path}"]).stdout

    def everything(self):
        """One run of each client; returns the number of requests."""
        check_equal(self.nghttp("-m", 20, "-H", "x-a: 1", "-H", "cookie: a=b; c=d"), 20, "nghttp's answers")
        check_equal(self.nghttp("-d", self.body, "--trailer", "x-checksum: 77", "--trailer", "x-more: yes",
                                "-H", "te: trailers"), 1, "nghttp's answer to a body with trailers")
        check_equal(self.nghttp("-d", self.body, "-b", 255, "--no-content-length"), 1, "nghttp's answer with padding")
        check_equal(self.nghttp("--continuation", "-H", "x-long: " + "l" * 9000), 1, "nghttp's answer to CONTINUATION")
        check_equal(self.nghttp("--expect-continue", "-d", self.body), 1, "nghttp's answer to Expect")
        self.h2load(500, "-c", 5, "-m", 50, "-H", "x-run: get", paths=[f"/get/{i}?q={'x' * i}" for i in range(40)])
        self.h2load(60, "-c", 3, "-m", 10, "-d", self.body)
        check_equal(self.curl("--http2-prior-knowledge"), "2 200", "curl's answer")
        check_equal(self.curl("--http2-prior-knowledge", "--data-binary", f"@{self.body}"), "2 200", "curl's POST")
        check_equal(self.curl("--http2-prior-knowledge", "-I"), "2 200", "curl's HEAD")
        return 24 + 500 + 60 + 3


def multiset(records):
    return collections.Counter((entry[1], entry[2], entry[3]) for entry in records)


def check_same(stage, count):
    """Every stream of v1 is at v2, the same and once; the ledger counts so. Returns the row."""
    at_v1 = stage.v1.requests()
    at_v2 = wait_requests([stage.v2], len(at_v1), 15)
    row = stage.agent.rule(stage.agent.settled_ledger())
    check_equal(len(at_v1), count, "requests at v1")
    missing, extra = multiset(at_v1) - multiset(at_v2), multiset(at_v2) - multiset(at_v1)
    check(not missing and not extra, f"missing at v2: {list(missing.items())[:3]}; not sent: "
          f"{list(extra.items())[:3]}; {example(at_v1, at_v2)}; dropped: {dropped_requests(row)}; {stage.v2.counts()}")
    check_equal((row["seen"]["requests"], row["mirrored"]["requests"]), (count, count), "requests seen and mirrored")
    check_equal(stage.v2.counts()["partial"], 0, "streams cut short at v2")
    return row


def example(at_v1, at_v2):
    """The fields of one request that is different, as both servers have them."""
    wanted = {entry[2] for entry in at_v2}
    for entry in at_v1:
        if entry[2] not in wanted:
            return f"v1 has {entry[4]}, v2 has {[other[4] for other in at_v2 if other[1] == entry[1]][:1]}"
    return ""


@case("the instruments: the recorder says of nghttp's, h2load's and curl's requests what was sent; no agent")
def instruments():
    with Lab() as lab:
        stage = Stage(lab)
        count = stage.everything()
        found = stage.v1.requests()
        check_equal(len(found), count, "requests at v1")
        wanted = hashlib.sha256(stage.body.read_bytes()).hexdigest()
        bodies = [e for e in found if e[3]]
        check_equal({(e[3], e[4]["body"]) for e in bodies}, {(300_000, wanted)}, "bodies")
        check_equal(len(bodies), 3 + 60 + 1, "requests with a body")
        check([["x-checksum", "77"], ["x-more", "yes"]] in [e[4]["trailers"] for e in found], "no trailers recorded")
        check(any(["x-long", "l" * 9000] in e[4]["headers"] for e in found), "the long header is missing")
        for mode in ("rst", "refuse_stream", "goaway", "close"):
            stage.v1.mode(mode, every=5)
            argv = ["h2load", "-n", 50, "-c", 1, "-m", 3, f"{stage.url}/trouble"]
            done = lab.exec("client", argv, check=False, timeout=20)
            succeeded = int(re.search(r"(\d+) succeeded", done.stdout).group(1))
            check(succeeded < 50, f"h2load noticed nothing of {mode}: {done.stdout[-500:]}")
        stage.v2.kill()
        small = H2Recorder(lab, "v2", args=["--window", 1000, "--streams", 3])
        stage.url = f"http://{lab.addr('v2')}:{PORT}"
        stage.h2load(20, "-c", 1, "-m", 10, "-d", stage.body)
        check_equal({e[3] for e in small.requests()}, {300_000}, "bodies through small windows")


@case("nghttp, h2load, curl: many streams, padding, CONTINUATION, trailers, Expect; v2's record equals v1's")
def every_client():
    with Lab() as lab:
        stage = Stage(lab)
        with stage.agent:
            row = check_same(stage, stage.everything())
        check_equal(dropped_requests(row), {}, "dropped requests")
        note(f"{row['mirrored']}, dropped {row['dropped']}")


@case("a v2 with windows of 1000 bytes and 3 streams at a time gets everything all the same, at its own pace")
def small_windows():
    with Lab() as lab:
        stage = Stage(lab, v2_args=["--window", 1000, "--streams", 3])
        with stage.agent:
            stage.h2load(200, "-c", 2, "-m", 20, paths=[f"/{i}" for i in range(20)])
            stage.body.write_bytes(random.Random(39).randbytes(20_000))
            stage.h2load(40, "-c", 2, "-m", 5, "-d", stage.body)
            check_equal(check_same(stage, 240)["mirrored"]["requests"], 240, "mirrored requests")


@case("1,000 streams on one connection and 100 connections with few streams")
def many():
    with Lab() as lab:
        stage = Stage(lab)
        with stage.agent:
            stage.h2load(1000, "-c", 1, "-m", 100, paths=[f"/one/{i}" for i in range(100)])
            stage.h2load(500, "-c", 100, "-m", 5)
            check_same(stage, 1500)


def trouble(mode, every, wanted):
    """v2 misbehaves; v1's clients notice nothing, what is missing is counted, and mirroring goes on afterwards."""
    with Lab() as lab:
        stage = Stage(lab, agent_args=("--limit", "response_timeout=2s"))
        with stage.agent:
            stage.v2.mode(mode, every=every)
            stage.h2load(300, "-c", 6, "-m", 10, paths=[f"/{i}" for i in range(30)])
            row = stage.agent.rule(stage.agent.settled_ledger(timeout=30))
            at_v1, at_v2 = stage.v1.requests(), stage.v2.requests()
            check_equal(len(at_v1), 300, "requests at v1")
            check_equal(multiset(at_v2) - multiset(at_v1), collections.Counter(), "requests at v2 that v1 never got")
            lost = dropped_requests(row)
            check(set(lost) <= TROUBLE and set(lost) & wanted, f"dropped by {lost}, expected one of {wanted}")
            check_equal(row["mirrored"]["requests"] + sum(lost.values()), 300, "mirrored and dropped requests")
            check(row["mirrored"]["requests"] <= len(at_v2), f"{row['mirrored']} mirrored, {len(at_v2)} at v2")
            note(f"{mode}: {row['mirrored']['requests']} mirrored, dropped {lost}")
            stage.v2.mode("normal")
            before = stage.v2.counts()["requests"]
            deadline = time.monotonic() + 8
            while stage.v2.counts()["requests"] < before + 20 and time.monotonic() < deadline:
                stage.h2load(20, "-c", 1, "-m", 5, paths=["/after"])
                with contextlib.suppress(LabError):
                    wait_for(lambda: stage.v2.counts()["requests"] >= before + 20, 1, "recovery")
            check(stage.v2.counts()["requests"] >= before + 20, "mirroring did not go on after the trouble")


@case("a v2 that resets every third stream: those are counted, the others arrive")
def resets():
    trouble("rst", 3, {"mirror_reset"})


@case("a v2 that refuses every third stream: counted mirror_refused")
def refusals():
    trouble("refuse_stream", 3, {"mirror_refused"})


@case("a v2 that says GOAWAY after five streams of each connection: the rest goes to another one, or is counted")
def goaway():
    with Lab() as lab:
        stage = Stage(lab, agent_args=("--limit", "response_timeout=2s"))
        with stage.agent:
            stage.v2.mode("goaway", every=5)
            stage.h2load(300, "-c", 6, "-m", 10, paths=[f"/{i}" for i in range(30)])
            row = stage.agent.rule(stage.agent.settled_ledger(timeout=30))
            at_v2, lost = stage.v2.requests(), dropped_requests(row)
            check_equal(multiset(at_v2) - multiset(stage.v1.requests()), collections.Counter(), "requests only at v2")
            # The server's library says GOAWAY once more with a higher stream, which is an error of the protocol.
            check(set(lost) <= TROUBLE | {"response_invalid"}, f"dropped by {lost}")
            check_equal(row["mirrored"]["requests"] + sum(lost.values()), 300, "mirrored and dropped requests")
            check(row["mirrored"]["requests"] >= 25, f"only {row['mirrored']} mirrored over {stage.v2.counts()}")
            note(f"{row['mirrored']['requests']} mirrored by {stage.v2.counts()['connections']} connections, {lost}")


@case("a v2 that closes its connection at every tenth stream: counted, v1 unharmed")
def closes():
    trouble("close", 10, {"mirror_closed", "mirror_reset"})


@case("a v2 that speaks HTTP/1 only: every request is counted as dropped, HTTP/1 clients are mirrored as before")
def http1_only():
    with Lab() as lab:
        stage = Stage(lab, v2=Recorder(lab, "v2"), agent_args=("--limit", "response_timeout=2s"))
        with stage.agent:
            stage.h2load(100, "-c", 4, "-m", 5)
            row = stage.agent.rule(stage.agent.settled_ledger(timeout=30))
            lost = dropped_requests(row)
            check_equal((len(stage.v1.requests()), row["mirrored"]["requests"]), (100, 0), "requests at v1, mirrored")
            check_equal(sum(lost.values()), 100, f"dropped requests: {lost}")
            # The preface "PRI * HTTP/2.0 … SM" is made to be refused by such servers; this one records it as two.
            heads = [e[1] for e in stage.v2.requests() if not e[1].startswith("PRI *") and e[1] != "SM"]
            check_equal(heads, [], "requests that v2 made of HTTP/2 frames")
            note(f"dropped: {lost}")
            stage.v1.kill()
            v1 = Recorder(lab, "v1", name="v1-http1")
            count = stage.v2.counts()["requests"]
            check_unharmed(Driver(lab, lab.addr("v1"), requests=50, connections=2, expect="v1-http1",
                                  mix="single=1").result())
            wait_requests([stage.v2], count + 50, 5)
            at_v2 = stage.v2.requests()[count:]
            check_equal(sorted(e[1:] for e in at_v2), sorted(e[1:] for e in v1.requests()), "HTTP/1 requests at v2")


@case("h2c by Upgrade (curl --http2, nghttp -u): the request itself as v2 answers it, the streams behind it counted")
def upgrades():
    with Lab() as lab:
        stage = Stage(lab)
        with stage.agent:
            check_equal(stage.curl("--http2"), "2 200", "curl's answer")
            check_equal(stage.nghttp("-u", "-m", 5), 5, "nghttp's answers")
            row = stage.agent.rule(stage.agent.settled_ledger())
        check_equal(len(stage.v1.requests()), 6, "requests at v1")
        # What was read before the kernel stopped cloning is the terminator's, the rest the kernel's to count.
        counted = sum(row["dropped"].get("h2_upgrade", {}).values()) + \
            row["kernel"]["dropped"].get("muted", {}).get("packets", 0)
        check(counted > 0, f"counted as {row['dropped']}, by the kernel as {row['kernel']['dropped']}")
        check(len(stage.v2.requests()) <= 2, f"v2 saw streams behind the upgrade: {stage.v2.requests()}")
        note(f"mirrored {row['mirrored']}, dropped {row['dropped']}")


@case("nghttpd as v1 and as v2: the same streams in their logs")
def nghttpd():
    need_command("nghttpd")
    with Lab() as lab:
        docs = lab.dir / "docs"
        docs.mkdir()
        for i in range(10):
            (docs / f"{i}.txt").write_text(f"file {i}\n" * 100 * i)
        for role in ("v1", "v2"):
            lab.spawn(role, ["nghttpd", "--no-tls", "-v", "-a", lab.addr(role), "-d", docs, PORT], role)
            lab.wait_port(role, lab.addr(role), PORT)

        def streams(role):
            """Sorted (path, method, bytes of DATA) of the streams in a log; bytes are summed over its frames."""
            found = collections.Counter()
            for line in lab.log(role).splitlines():
                if asked := re.search(r"recv \(stream_id=\d+\) :path: (\S+)", line):
                    found[asked.group(1)] += 1
                if data := re.search(r"recv DATA frame <length=(\d+)", line):
                    found["bytes"] += int(data.group(1))
            return found
        with setup_agent(lab) as agent:
            urls = [f"http://{lab.addr('v1')}:{PORT}/{i}.txt" for i in range(10)]
            body = lab.dir / "body"
            body.write_bytes(b"posted " * 10000)
            for args in ([*urls], ["-d", body, urls[3]]):
                lab.exec("client", ["nghttp", "-n", *args])
            lab.exec("client", ["h2load", "-n", 200, "-c", 4, "-m", 10, *urls])
            wanted = streams("v1")
            with contextlib.suppress(LabError):
                wait_for(lambda: streams("v2") == wanted, 10, "the same log at v2", step=0.1)
            row = agent.rule(agent.settled_ledger())
        check_equal(streams("v2"), wanted, f"streams in v2's log (dropped: {dropped_requests(row)})")
        check_equal((sum(wanted.values()) - wanted["bytes"], wanted["bytes"]), (211, 70000), "streams, bytes at v1")


if __name__ == "__main__":
    main()
