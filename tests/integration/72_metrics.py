#!/usr/bin/python3
"""The exporter beside a real agent: /metrics says what the ledger says, probes turn bad and good again, no privilege is
needed, and hostile clients do not keep a scraper out."""
import re
import shutil
import signal
import socket

from agent import binary, imbalances
from case import Skip, case, check, check_equal, check_none, main, note
from lab import LIBC, Lab, LabError, run, wait_for
from peers import Driver, Recorder, check_unharmed, drive
from scene import setup_agent

CLONE_NEWNET = 0x40000000
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Exporter:
    def __init__(self, lab, agent, listen="127.0.0.1:0"):
        self.lab, self.name = lab, "exporter"
        self.child = lab.spawn("node", [binary(), "exporter", "--listen", listen, "--socket", agent.socket], self.name)
        ready = wait_for(lambda: re.search(r"ready: .*:(\d+)\n", lab.log(self.name)), 10, "the exporter's line 'ready'")
        self.port = int(ready.group(1))

    def pid(self):
        return self.child.pid

    def curl(self, path, *args, timeout=20):
        """(status, body)."""
        out = self.lab.exec("node", ["curl", "-sS", "--max-time", timeout, "-w", "\n%{http_code}", *args,
                                     f"http://127.0.0.1:{self.port}{path}"]).stdout
        body, _, status = out.rpartition("\n")
        return int(status), body

    def metrics(self):
        status, body = self.curl("/metrics")
        check_equal(status, 200, "status of /metrics")
        return parse(body)

    def await_status(self, path, wanted, timeout=15):
        return wait_for(lambda: (got := self.curl(path))[0] == wanted and got[1], timeout, f"{path} to be {wanted}",
                        step=0.1)

    def connect(self):
        """A TCP connection from the node's namespace."""
        with open("/proc/self/ns/net") as own, open(f"/run/netns/{self.lab.ns('node')}") as node:
            check_equal(LIBC.setns(node.fileno(), CLONE_NEWNET), 0, "setns")
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=10)
            finally:
                LIBC.setns(own.fileno(), CLONE_NEWNET)


def parse(body):
    """{(name, frozenset of labels): value}; every line must be one or a comment, none may come twice."""
    out = {}
    for line in body.splitlines():
        if line.startswith("#"):
            continue
        found = SAMPLE.match(line)
        check(found, f"no sample: {line}")
        key = found.group(1), frozenset(LABEL.findall(found.group(2) or ""))
        check(key not in out, f"twice: {line}")
        out[key] = float(found.group(3))
    return out


def value(samples, name, **labels):
    return samples.get((name, frozenset(labels.items())))


def differences(samples, ledger):
    """Where the metrics say something else than the ledger."""
    out = []

    def compare(name, wanted, **labels):
        got = value(samples, name, **labels)
        if got != wanted:
            out.append(f"{name}{labels}: {got}, the ledger has {wanted}")
    for row in ledger["rules"]:
        rule = row["rule"]
        for unit in ("flows", "requests", "bytes"):
            compare(f"umbra_seen_{unit}_total", row["seen"][unit], rule=rule)
            compare(f"umbra_mirrored_{unit}_total", row["mirrored"][unit], rule=rule)
            compare(f"umbra_in_flight_{unit}", row["in_flight"][unit], rule=rule)
            for reason, dropped in row["dropped"].items():
                compare(f"umbra_dropped_{unit}_total", dropped[unit], rule=rule, reason=reason)
        for unit in ("packets", "bytes"):
            for account in ("seen", "cloned"):
                compare(f"umbra_kernel_{account}_{unit}_total", row["kernel"][account][unit], rule=rule)
            for reason, dropped in row["kernel"]["dropped"].items():
                compare(f"umbra_kernel_dropped_{unit}_total", dropped[unit], rule=rule, reason=reason)
    compare("umbra_capture_cloned_bytes_total", ledger["capture"]["cloned"])
    compare("umbra_capture_captured_bytes_total", ledger["capture"]["captured"])
    compare("umbra_capture_unreported_bytes", ledger["capture"]["unreported"])
    compare("umbra_capture_queued_bytes", ledger["capture"]["in_queue"])
    compare("umbra_ledger_closes", 1 if ledger["closes"] else 0)
    return out


@case("scraped while traffic flows and after it: every figure is the ledger's, drops by reason included")
def figures():
    with Lab() as lab:
        Recorder(lab, "v1")
        v2 = Recorder(lab, "v2")
        with setup_agent(lab) as agent:
            exporter = Exporter(lab, agent)
            load = Driver(lab, lab.addr("v1"), seconds=4, connections=4, rate=200)
            scrapes = 0
            while load.child.poll() is None:
                samples = exporter.metrics()
                check_equal(value(samples, "umbra_up"), 1, "umbra_up")
                scrapes += 1
            check_unharmed(load.result())
            v2.mode("refuse")
            drive(lab, lab.addr("v1"), requests=40, connections=2, tag="refused")
            ledger = agent.settled_ledger()
            check_none(imbalances(ledger), "the ledger")
            check(any(row["dropped"] for row in ledger["rules"]), "nothing was dropped")

            def left():
                return differences(exporter.metrics(), agent.ledger())
            try:
                wait_for(lambda: not left(), 10, "the ledger's figures", step=0.3)
            except LabError:
                check_none(left(), "metrics against the ledger")
            samples = exporter.metrics()
            asked = value(samples, "umbra_exporter_asked_total")
            check(asked < scrapes, f"{scrapes} scrapes in 4 s asked the agent {asked} times")
            note(f"{scrapes} scrapes under load, the agent was asked {asked:.0f} times; {len(samples)} samples")


@case("promtool check metrics finds nothing to say about the page")
def conventions():
    tool = shutil.which("promtool")
    if not tool:
        raise Skip("promtool (package prometheus) is not installed")
    with Lab() as lab:
        Recorder(lab, "v1")
        Recorder(lab, "v2")
        with setup_agent(lab, "--inject-loss", "30") as agent:
            exporter = Exporter(lab, agent)
            drive(lab, lab.addr("v1"), requests=100, connections=4)
            _, page = exporter.curl("/metrics")
            check("umbra_dropped_requests_total{" in page, "no drops on the page")
            done = run([tool, "check", "metrics"], check=False, input=page + "\n")
            check_equal((done.returncode, done.stdout + done.stderr), (0, ""), "promtool's opinion")


@case("probes: bad while the agent hangs and while it is gone, good again after; the exporter outlives the agent")
def probes():
    with Lab() as lab, setup_agent(lab) as agent:
        exporter = Exporter(lab, agent)
        check_equal(exporter.curl("/healthz")[0], 200, "healthz")
        check_equal(exporter.curl("/readyz")[0], 200, "readyz")
        agent.child.send_signal(signal.SIGSTOP)
        try:
            reason = exporter.await_status("/healthz", 503)
            check("in time" in reason, f"reason: {reason}")
            check_equal(exporter.curl("/readyz")[0], 503, "readyz of a hanging agent")
            check_equal(value(exporter.metrics(), "umbra_up"), 0, "umbra_up of a hanging agent")
        finally:
            agent.child.send_signal(signal.SIGCONT)
        exporter.await_status("/healthz", 200)
        exporter.await_status("/readyz", 200)
        agent.stop()
        reason = exporter.await_status("/healthz", 503)
        check(str(agent.socket) in reason, f"reason: {reason}")
        agent.start()
        exporter.await_status("/readyz", 200)
        check_equal(lab.kill(exporter.child, signal.SIGTERM), 0, "exit code of the exporter on SIGTERM")


@case("only GET and HEAD of three paths; the process can gain nothing and leaves no core")
def narrow():
    with Lab() as lab, setup_agent(lab) as agent:
        exporter = Exporter(lab, agent)
        check_equal(exporter.curl("/")[0], 404, "another path")
        check_equal(exporter.curl("/../../etc/passwd", "--path-as-is")[0], 404, "a path to a file")
        check_equal(exporter.curl("/metrics", "-X", "POST", "-d", "x")[0], 405, "POST")
        check_equal(exporter.curl("/metrics", "--head")[0], 200, "HEAD")
        status = dict(re.findall(r"^(\w+):\s+(.*)$", open(f"/proc/{exporter.pid()}/status").read(), re.M))
        check_equal(status["NoNewPrivs"], "1", "no_new_privs")
        check_equal(status["Threads"] in ("1", "2"), True, f"{status['Threads']} threads: at most two")
        core = re.search(r"^Max core file size\s+(\S+)\s+(\S+)", open(f"/proc/{exporter.pid()}/limits").read(), re.M)
        check_equal(core.groups(), ("0", "0"), "core file limits")
        done = lab.exec("node", [binary(), "exporter", "--listen", "nowhere:1", "--socket", agent.socket], check=False)
        check_equal(done.returncode, 2, "exit code for a listen address that is none")
        done = lab.exec("node", [binary(), "exporter", "--listen", f"127.0.0.1:{exporter.port}",
                                 "--socket", agent.socket], check=False)
        check_equal((done.returncode, "in use" in done.stderr), (1, True), f"a port that is taken: {done.stderr}")


HOSTILE = {
    "silent": b"",
    "half a request": b"GET /metrics HTTP/1.1\r\nHost: ",
    "a huge head": b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100000,
    "a body without end": b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n",
    "an answer never read": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50,
    "no HTTP": bytes(range(256)) * 20,
}


@case("200 connections that are silent, slow, huge, half open or greedy do not keep a scraper out, nor grow the process")
def hostile():
    with Lab() as lab, setup_agent(lab) as agent:
        exporter = Exporter(lab, agent)
        exporter.metrics()
        for name, sent in HOSTILE.items():
            clients = []
            for _ in range(200):
                client = exporter.connect()
                client.setblocking(False)
                clients.append(client)
                try:
                    client.send(sent)
                except OSError:
                    pass
            status, body = exporter.curl("/metrics", timeout=10)
            check_equal((status, "umbra_up 1" in body), (200, True), f"a scrape beside 200 clients: {name}")
            held = len(lab.exec("node", ["ls", f"/proc/{exporter.pid()}/fd"]).stdout.split())
            check(held < 100, f"{held} descriptors with 200 clients: {name}")
            for client in clients:
                client.close()
        with open(f"/proc/{exporter.pid()}/statm") as statm:
            resident = int(statm.read().split()[1]) * 4096
        check(resident < 64 << 20, f"{resident} bytes resident")
        note(f"resident {resident / 1e6:.1f} MB after {200 * len(HOSTILE)} hostile clients of {len(HOSTILE)} kinds")


if __name__ == "__main__":
    main()
