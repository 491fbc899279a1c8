"""The long tests' sizes, and the fast instruments that they need (tests/instruments): a server and a client that write
records of each request, and the comparison of those. UMBRA_BATTERY=long chooses the long sizes."""
import collections
import json
import os
import signal
import socket
import struct
import subprocess

import kernel_state
from case import build_dir, check, check_equal, check_none
from lab import LabError, die_with_parent, wait_for
from peers import PORT, figures_of

LONG = os.environ.get("UMBRA_BATTERY") == "long"
SIZES = {  # name: (short, long)
    "requests": (100_000, 1_000_000), "rate": (2_500, 3_500), "rounds": (1, 5), "pairs": (3, 5),
    "pair_requests": (3_000, 20_000),
    "syns": (100_000, 1_000_000), "live_flows": (200, 1_000),
    "holes": (20_000, 100_000), "holes_idle": (6, 40), "holes_memory": (32, 96),
    "kills": (25, 1_000), "reloads": (100, 1_000), "cycles": (100, 10_000),
    "devices": (100, 1_000),
    "wild_frames": (200_000, 1_000_000),
}
RECORD = struct.Struct("<QQIIQ")
DAMAGED = 2 ** 64 - 1
Entry = collections.namedtuple("Entry", "id digest bytes other time")


def size(name):
    return SIZES[name][LONG]


def instrument(name):
    path = build_dir() / "instruments" / name
    if not path.exists():
        raise LabError(f"{path} does not exist: run `make test-integration`, or `make {path}`")
    return path


def read_records(path):
    data = path.read_bytes() if path.exists() else b""
    return [Entry(*fields) for fields in RECORD.iter_unpack(data[:len(data) // RECORD.size * RECORD.size])]


class Stand:
    """http_stand in a namespace. Its records survive its death."""

    def __init__(self, lab, role, port=PORT, name=None):
        self.lab, self.role, self.name = lab, role, name or role
        self.place = f"{lab.addr(role)}:{port}"
        self.control, self.records_file = lab.dir / f"stand-{role}.sock", lab.dir / f"stand-{role}.records"
        self.start()

    def start(self):
        self.child = self.lab.spawn(self.role, [instrument("http_stand"), self.name, self.control, self.records_file,
                                                self.place], f"stand-{self.role}")
        wait_for(self.answers, 10, f"server {self.role}: {self.lab.log(f'stand-{self.role}')}")

    def answers(self):
        try:
            return self.ask("counts")
        except OSError:
            return None

    def ask(self, order):
        """(requests since the start, accepted connections, open ones, connections that ended within a request)"""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
            control.settimeout(30)
            control.connect(str(self.control))
            control.sendall(order.encode())
            return [int(number) for number in control.recv(200).split()]

    def requests(self):
        return self.ask("counts")[0]

    def connections(self):
        return self.ask("counts")[1]

    def mode(self, name):
        self.ask(f"mode {name}")

    def kill(self):
        self.lab.kill(self.child)

    def signal(self, sig):
        self.child.send_signal(sig)

    def records(self):
        return read_records(self.records_file)


class Load:
    """http_load in the client's namespace."""
    used = 0

    def __init__(self, lab, requests, rate, connections=64, per_connection=20, stay=False):
        Load.used += 1
        lab.sysctl("client", "net/ipv4/ip_local_port_range", "1100 65000")
        lab.sysctl("client", "net/ipv4/tcp_tw_reuse", 1)
        self.records_file = lab.dir / f"load-{Load.used}.records"
        argv = lab.argv("client", [instrument("http_load"), lab.addr("v1"), PORT, self.records_file, connections,
                                   requests, rate, per_connection, Load.used, *(["stay"] if stay else [])])
        self.child = subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      preexec_fn=die_with_parent)
        lab.children.append(self.child)

    def running(self):
        return self.child.poll() is None

    def done(self):
        """Answered so far."""
        return self.records_file.stat().st_size // RECORD.size if self.records_file.exists() else 0

    def end(self, timeout=1200):
        """Lets it come to its end; every request must have been answered rightly. Returns its figures."""
        self.child.send_signal(signal.SIGTERM)
        return self.result(timeout)

    def result(self, timeout=1200):
        result = self.figures(timeout)
        check_equal((result["failed"], result["error"]), (0, ""), "failed requests, the first one's cause")
        check_equal(result["answered"], result["sent"], "answers that the client got")
        return result

    def figures(self, timeout=1200):
        """Whatever became of the requests."""
        return figures_of(self.child, timeout)

    def records(self):
        return read_records(self.records_file)


def quantiles(records):
    """p50 and p99 in milliseconds."""
    times = sorted(r.other for r in records)
    if not times:
        return "no requests"
    return f"{times[len(times) // 2] / 1000:.2f}/{times[min(len(times) - 1, len(times) * 99 // 100)] / 1000:.2f}"


def damages(sent, received, who):
    """What was received is what was sent, byte for byte. Twice is for `twice`."""
    wanted = {r.id: (r.digest, r.bytes) for r in sent}
    out = []
    for r in received:
        if r.id == DAMAGED:
            out.append(f"{who}: {r.bytes} bytes that are no request")
        elif r.id not in wanted:
            out.append(f"{who}: {r.id} was never sent")
        elif wanted[r.id] != (r.digest, r.bytes):
            out.append(f"{who}: {r.id} altered: {r.bytes} bytes for {wanted[r.id][1]}")
    return out


def twice(received, who):
    seen = collections.Counter(r.id for r in received)
    return [f"{who}: {i} came {n} times" for i, n in seen.items() if n > 1]


def check_origin(sent, origin):
    """v1 received exactly what the client sent, each once."""
    got = origin.records()
    check_none(damages(sent, got, "v1") + twice(got, "v1"), "the origin's requests")
    check_equal(len(got), len(sent), "requests at v1")
    return got


def check_mirror(sent, records, who="v2"):
    check_none(damages(sent, records, who) + twice(records, who), "the mirror's requests")
    check(len(records) <= len(sent), "more at the mirror than was sent")


def ask(agent, verb, **fields):
    """A verb straight through the control socket, where a process for each would take most of the time."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(20)
        control.connect(str(agent.socket))
        text = json.dumps({"verb": verb, **fields}).encode()
        control.sendall(struct.pack("!I", len(text)) + text)
        answer = b""
        while part := control.recv(1 << 16):
            answer += part
    answer = json.loads(answer[4:])
    check(answer.get("ok"), f"the agent refused '{verb}': {answer}")
    return answer


class Holdings:
    """Descriptors, BPF objects and memory of an agent's processes."""

    def __init__(self, agent):
        pids = agent.pids()
        self.processes = len(pids)
        self.descriptors = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
        self.objects = collections.Counter(kind for kind, _ in kernel_state.bpf_ids(pids))
        self.rss = agent.rss()

    def counts(self):
        return {"processes": self.processes, "descriptors": self.descriptors, **self.objects}

    def describe(self, later):
        return f"{later.counts()}, RSS {self.rss / 2**20:.1f} -> {later.rss / 2**20:.1f} MiB"


def check_holdings(agent, before, growth, timeout=20):
    """As many of everything as before, and at most `growth` bytes more."""
    try:
        wait_for(lambda: Holdings(agent).counts() == before.counts(), timeout, "the counts of before", step=0.2)
    except LabError:
        check_equal(Holdings(agent).counts(), before.counts(), "what the agent holds")
    now = Holdings(agent)
    check(now.rss - before.rss <= growth, f"the agent grew by {(now.rss - before.rss) / 2**20:.1f} MiB")
    return before.describe(now)
