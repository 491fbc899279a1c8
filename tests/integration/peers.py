"""Servers and clients of a case: recorders with their control socket, drivers with their results."""
import json
import signal
import socket
import subprocess

import compare
from case import Wrong, check, check_equal, check_none
from lab import HERE, PYTHON, die_with_parent, wait_for

PORT = 8080


class Recorder:
    """A recorder in a namespace, listening on the role's IPv4 and IPv6 address."""
    program = "recorder.py"

    def __init__(self, lab, role, name=None, port=PORT, addresses=None, args=()):
        self.args = [str(a) for a in args]
        self.lab, self.role, self.port = lab, role, port
        self.name = name or role
        self.addresses = addresses or [lab.addr(role), lab.addr(role, 6)]
        self.path = lab.dir / f"{self.name}-{port}.sock"
        self.start()

    def start(self):
        if self.path.exists():
            self.path.unlink()
        places = [f"[{a}]:{self.port}" if ":" in a else f"{a}:{self.port}" for a in self.addresses]
        listen = [part for place in places for part in ("--listen", place)]
        self.child = self.lab.spawn(self.role, [PYTHON, HERE / self.program, "--name", self.name, *listen,
                                                "--control", self.path, *self.args], self.name)
        wait_for(self._answers, 10, f"recorder {self.name}\n{self.lab.log(self.name)}")

    def _answers(self):
        try:
            return self.do("counts")
        except OSError:
            if self.child.poll() is not None:
                raise Wrong(f"recorder {self.name} ended:\n{self.lab.log(self.name)}") from None
            return None

    def do(self, what, **fields):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(60)
            control.connect(str(self.path))
            control.sendall(json.dumps({"do": what, **fields}).encode() + b"\n")
            return json.loads(control.makefile().readline())

    def mode(self, mode, **fields):
        return self.do("mode", mode=mode, **fields)

    def counts(self):
        return self.do("counts")

    def requests(self):
        return self.do("dump")["requests"]

    def kill(self):
        self.lab.kill(self.child)

    def freeze(self):
        self.child.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.child.send_signal(signal.SIGCONT)


class H2Recorder(Recorder):
    """The same for HTTP/2."""
    program = "h2_recorder.py"


def figures_of(client, timeout):
    """The JSON line that a client prints at its end."""
    try:
        out, err = client.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        client.kill()
        raise Wrong(f"the client did not end within {timeout} s") from None
    if not out.strip():
        raise Wrong(f"the client broke: {err}")
    return json.loads(out)


class Driver:
    """A client run; start() leaves it running, result() waits for it."""

    def __init__(self, lab, address, port=PORT, role="client", tag="r", **options):
        self.lab, self.tag = lab, tag
        self.out = lab.dir / f"sent-{tag}.json"
        flags = ["--tag", tag, "--out", self.out]
        for key, value in options.items():
            flags += [f"--{key.replace('_', '-')}"] + ([] if value is True else [str(value)])
        argv = lab.argv(role, [PYTHON, HERE / "driver.py", address, port, *flags])
        self.child = subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      preexec_fn=die_with_parent)
        lab.children.append(self.child)

    def result(self, timeout=180):
        return figures_of(self.child, timeout)

    def end(self, timeout=60):
        self.child.send_signal(signal.SIGTERM)
        return self.result(timeout)

    def sent(self):
        with open(self.out) as file:
            return json.load(file)


def drive(lab, address, **options):
    """Runs a client to its end: v1 must have answered every request."""
    driver = Driver(lab, address, **options)
    result = driver.result()
    check_unharmed(result)
    return driver.sent(), result


def check_unharmed(result):
    check(not result["failed"] and not result["errors"],
          f"the client saw {result['failed']} failed requests: {result['errors'][:5]}")
    check_equal(result["answered"], result["sent"], "answers that the client got")
    check(result["sent"] > 0, "the client sent nothing")


def wait_requests(recorders, count, timeout=30):
    """Waits until the recorders together have count complete requests; returns what they have, also if too few."""
    def enough():
        return sum(r.counts()["requests"] for r in recorders) >= count
    try:
        wait_for(enough, timeout, "requests at the mirror", step=0.05)
    except Exception:  # the comparison that follows says which ones are missing
        pass
    return [entry for r in recorders for entry in r.requests()]


def check_mirrored(sent, origin, mirrors, timeout=30):
    """Origin and mirrors received exactly what was sent. Several mirrors: each connection stays on one of them."""
    at_origin = origin.requests()
    check_none(compare.identical(sent, at_origin, origin.name), "the origin's requests")
    wait_requests(mirrors, len(at_origin), timeout)
    parts = [m.requests() for m in mirrors]
    everything = [entry for part in parts for entry in part]
    check_none(compare.altered(sent, everything, "mirror") + compare.missing(sent, everything, "mirror"),
               "the mirror's requests")
    for mirror, part in zip(mirrors, parts):
        check_none(compare.disordered(sent, part, mirror.name), f"the order at {mirror.name}")
        check_equal(mirror.counts()["partial"], 0, f"requests cut short at {mirror.name}")
    return everything


def check_exact_ledger(agent, origin, mirrored, rule=None):
    """The ledger's figures are those of the servers' own records."""
    ledger = agent.settled_ledger()
    row = agent.rule(ledger, rule)
    at_origin = origin.requests()
    check_equal(row["seen"]["requests"], len(at_origin), "requests seen by the ledger against the origin's records")
    check_equal(row["mirrored"]["requests"], len(mirrored), "requests mirrored against the mirror's records")
    check_equal(row["mirrored"]["bytes"], compare.total_bytes(mirrored), "bytes mirrored against the mirror's records")
    again = row["dropped"].get("duplicate", {}).get("bytes", 0)
    check_equal(row["seen"]["bytes"] - again, compare.total_bytes(at_origin), "bytes seen against the origin's records")
    return row
