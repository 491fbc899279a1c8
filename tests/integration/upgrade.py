"""Both ends of a take-over: a real successor of a running agent, and players of either side that do as a case wants."""
import array
import contextlib
import json
import os
import re
import signal
import socket
import threading

import kernel_state
from agent import Agent
from case import Wrong, check, check_equal
from lab import LabError, wait_for

FORMAT = 1
MOST = 1 << 16
TOOK_OVER = re.compile(r"took over pid=(\d+) version=(\S+) hooks=(\d+) switch=(\d+)us blind=(\d+)us")
TOTALS = re.compile(r"totals rule=(\S+) flows/requests/bytes seen=(\S+) mirrored=(\S+) dropped=(\S+) in_flight=(\S+)")


def successor(agent, *args, files=(), name=None, start=True):
    """An agent that takes over from another one; started, and the other one ended, unless start is False."""
    name = name or f"{agent.name}+"
    new = Agent(agent.lab, *files, args=[*args, "--take-over"], name=name, role=agent.role)
    new.socket = agent.socket
    if start:
        try:
            new.start(timeout=60)
        except Wrong as error:
            raise Wrong(f"{error}\nwhile the old one says\n{agent.log()[-2000:]}") from None
        await_end(agent)
    return new


def await_end(agent):
    try:
        code = agent.child.wait(15)
    except Exception:
        raise Wrong(f"the old agent does not end\n{agent.log()[-3000:]}") from None
    check_equal(code, 0, f"exit code of the old agent\n{agent.log()[-3000:]}\n")


def figures(new):
    """pid, version, hooks, switch and blind microseconds from the log."""
    found = TOOK_OVER.findall(new.log())
    check(found, f"no line of the take-over in the log\n{new.log()[-3000:]}")
    pid, version, hooks, switch, blind = found[-1]
    return {"pid": int(pid), "version": version, "hooks": int(hooks), "switch": int(switch), "blind": int(blind)}


def totals(old):
    """rule -> requests seen, mirrored, dropped, in flight, as the old one logged them at its end."""
    def requests(text):
        return int(text.split("/")[1])
    rows = {}
    for rule, seen, mirrored, dropped, in_flight in TOTALS.findall(old.log()):
        lost = {part.split(":")[0]: requests(part.split(":")[1]) for part in dropped.split(",") if ":" in part}
        rows[rule.removeprefix("default/")] = {"seen": requests(seen), "mirrored": requests(mirrored), "dropped": lost,
                                               "in_flight": requests(in_flight)}
        row = rows[rule.removeprefix("default/")]
        check_equal(row["seen"], row["mirrored"] + sum(lost.values()) + row["in_flight"], f"the old one's {rule}")
    check("totals closes=true" in old.log(), f"the old one's ledger does not close\n{old.log()[-3000:]}")
    return rows


def door_of(agent):
    return f"{agent.socket}.take-over"


def kinds(ids):
    return {kind: sum(1 for k, _ in ids if k == kind) for kind in ("prog", "map", "link")}


def held(agent):
    return kernel_state.bpf_ids(agent.pids())


class Speaker:
    """One end of the conversation."""

    def __init__(self, channel):
        self.channel, self.received = channel, []
        self.channel.settimeout(20)

    def say(self, message, fds=(), **fields):
        text = json.dumps({"message": message, **fields}).encode()
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.channel.sendmsg([text], control)

    def hear(self):
        """The next message and its descriptors; None at the end."""
        text, fds, _, _ = socket.recv_fds(self.channel, MOST, 253)
        self.received += fds
        return (json.loads(text), list(fds)) if text else (None, [])

    def expect(self, name):
        message, fds = self.hear()
        check(message and message["message"] == name, f"expected '{name}', heard {message}")
        return message, fds

    def close(self):
        """The end of this side, and of what it was given."""
        for fd in self.received:
            os.close(fd)
        self.received = []
        self.channel.close()


class FakeTaker(Speaker):
    """Says the new agent's words up to a step, and no more."""

    def __init__(self, agent):
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        channel.connect(door_of(agent))
        super().__init__(channel)

    def hello(self, version="9.9.9"):
        self.say("hello", format=FORMAT, version=version)
        return self.expect("offer")

    def ready(self, hook="tcx"):
        """The links that come with `go`: (ifindex, direction, descriptor)."""
        self.say("ready", hook=hook)
        go, _ = self.expect("go")
        links = []
        while len(links) < go["links"]:
            message, fds = self.expect("links")
            links += [(*row, fd) for row, fd in zip(message["links"], fds)]
        return go, links


class FakeOld:
    """An agent that is only its two sockets: plays the old side to a real successor."""

    def __init__(self, lab, netns):
        self.lab, self.netns = lab, netns
        self.path = lab.dir / "fake.sock"
        self.control = self.listen(str(self.path), socket.SOCK_STREAM)
        self.door = self.listen(f"{self.path}.take-over", socket.SOCK_SEQPACKET)

    @staticmethod
    def listen(path, kind):
        listener = socket.socket(socket.AF_UNIX, kind)
        listener.bind(path)
        listener.listen(16)
        return listener

    def accept(self):
        self.door.settimeout(20)
        return Speaker(self.door.accept()[0])

    NOTHING = {"by_operator": None, "by_trip": None, "level": 0, "relapses": 0, "last_step": None}

    def go(self, speaker):
        speaker.say("go", stopped_at=None, cloning=self.NOTHING, qdiscs=[], links=0)

    def offer(self, speaker, documents, **fields):
        """documents: files."""
        rows = [[f"File{i}", "default", str(f), str(f), f.read_text(), "default"] for i, f in enumerate(documents)]
        memory = os.memfd_create("documents")
        os.write(memory, json.dumps(rows).encode())
        own = kernel_state.create_hash_map(8, 8, 16)  # another version's, of another shape
        message = {"format": FORMAT, "version": "0.0.1", "pid": os.getpid(), "netns": self.netns, "qdiscs": [],
                   "cloning": self.NOTHING, **fields}
        speaker.say("offer", [self.control.fileno(), self.door.fileno(), own, memory], **message)
        os.close(own)
        os.close(memory)

    def close(self):
        self.control.close()
        self.door.close()


class FeedPlayer:
    """A controller that says what it is told to."""

    def __init__(self, path):
        self.feed = socket.socket(socket.AF_UNIX)
        self.feed.connect(str(path))

    def send(self, reset=False, synced=False, objects=()):
        changes = {"reset": reset, "synced": synced, "objects": list(objects), "deleted": []}
        body = json.dumps({"changes": changes}).encode()
        self.feed.sendall(len(body).to_bytes(4, "big") + body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.feed.close()


class Asking:
    """Asks the control socket without a pause; every answer must come."""

    def __init__(self, agent):
        self.path, self.end = str(agent.socket), threading.Event()
        self.answers, self.errors = 0, []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def ask(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(self.path)
            body = b'{"verb": "version"}'
            client.sendall(len(body).to_bytes(4, "big") + body)
            size = int.from_bytes(client.recv(4, socket.MSG_WAITALL), "big")
            check(json.loads(client.recv(size, socket.MSG_WAITALL))["ok"], "refused")

    def run(self):
        while not self.end.is_set():
            try:
                self.ask()
                self.answers += 1
            except (OSError, ValueError, AssertionError) as error:
                self.errors.append(repr(error))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()


def settle_start(new, old):
    """Waits until a successor serves or has ended; True if it serves."""
    def known():
        return "took over" in new.log() or new.child.poll() is not None
    with contextlib.suppress(LabError):
        wait_for(known, 30, "the successor's end or success")
    return new.child.poll() is None and old.child.poll() is not None


def kill(child):
    child.send_signal(signal.SIGKILL)
    child.wait()
