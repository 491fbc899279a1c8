"""The agent under test: starts `umbra run` on a lab's node, calls the online verbs, reads the ledger.

UMBRA_TERMINATOR=PROGRAM: that program, started beside it, is the agent's terminator (scripts/sanitize).
UMBRA_AGENT_ARGS: further arguments of every `umbra run`.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import kernel_state
from case import Wrong, build_dir, check, check_none
from lab import LabError, run, wait_for

PAGE = os.sysconf("SC_PAGE_SIZE")
UNITS = ("flows", "requests", "bytes")
OTHER_USER, OTHER_GROUP = 65532, 4242  # of a terminator that is started beside the agent


def binary():
    path = build_dir() / "umbra"
    if not path.exists():
        raise LabError(f"{path} does not exist: run `make` first")
    return path


def umbra(*args, input_text=None, timeout=30):
    """An offline verb."""
    return run([binary(), *args], check=False, timeout=timeout, input=input_text)


class Agent:
    def __init__(self, lab, *files, args=(), name="agent", role="node"):
        self.lab, self.role = lab, role
        self.files = [str(f) for f in files]
        self.args = [str(a) for a in args] + os.environ.get("UMBRA_AGENT_ARGS", "").split()
        if "--trip" not in self.args:  # on a slow machine the agent would shed by itself, rightly
            self.args += ["--trip", "off"]
        self.name = name
        self.socket = lab.dir / f"{name}.sock"
        self.child = self.terminator = None
        self.ids = set()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is not None and self.child:
            print(f"    --- the agent's log ---\n{self.log()[-6000:]}")
        self.stop()

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self, timeout=15):
        self.launch()
        try:
            wait_for(self.is_ready, timeout, "the agent's line with 'ready'")
            if self.terminator:
                wait_for(lambda: self.json("status")["terminator"] == "running", timeout, "the other terminator")
        except LabError as error:
            raise Wrong(f"the agent did not start: {error}\n{self.log()[-4000:]}") from None
        self.ids |= kernel_state.bpf_ids(self.pids())
        return self

    def launch(self):
        """Starts the process without waiting until it is ready."""
        self.log_start = len(self.log())
        files = [part for f in self.files for part in ("-f", f)]
        beside = os.environ.get("UMBRA_TERMINATOR")
        place = self.lab.dir / f"{self.name}-terminator.sock"
        args = [*self.args, *(["--terminator-socket", place, "--group", OTHER_GROUP] if beside else [])]
        self.child = self.lab.spawn(self.role, [binary(), "run", *files, "--socket", self.socket, *args], self.name)
        if beside and not self.terminator:
            user = ["setpriv", f"--reuid={OTHER_USER}", f"--regid={OTHER_GROUP}", "--clear-groups"]
            self.terminator = self.lab.spawn(self.role, [*user, beside, "terminator", "--socket", place], self.name)

    def is_ready(self):
        if re.search(r"\bready\b", self.log()[self.log_start:]):
            return True
        if self.child.poll() is not None:
            raise Wrong(f"the agent ended with {self.child.returncode}:\n{self.log()[-4000:]}")
        return False

    def files_as_paths(self):
        return [pathlib.Path(f) for f in self.files]

    def log(self):
        return self.lab.log(self.name)

    def pids(self):
        """The agent's process and its descendants."""
        found, fresh = [], [self.child.pid]
        while fresh:
            pid = fresh.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children") as children:
                        fresh += [int(c) for c in children.read().split()]
        return found

    def stop(self, sig=signal.SIGTERM, timeout=10):
        """Ends the agent with a signal and returns its exit code."""
        if not self.child or self.child.poll() is not None:
            return self.child.returncode if self.child else None
        self.ids |= kernel_state.bpf_ids(self.pids())
        pids = self.pids()
        try:
            self.lab.kill(self.child, sig, timeout)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise Wrong(f"the agent did not end within {timeout} s of {sig.name}\n{self.log()[-2000:]}") from None
        wait_for(lambda: not any(alive(p) for p in pids), 5, "the end of the agent's other processes")
        if self.terminator:
            self.lab.kill(self.terminator, signal.SIGTERM, timeout)
            self.terminator = None
        return self.child.returncode

    def kill_main(self):
        """SIGKILL to the agent's first process; the others must end by themselves."""
        self.ids |= kernel_state.bpf_ids(self.pids())
        others = self.pids()
        self.child.kill()
        self.child.wait()
        wait_for(lambda: not any(alive(p) for p in others), 5, "the end of the agent's other processes")

    def kill_all(self):
        """SIGKILL to every process of the agent at once."""
        self.ids |= kernel_state.bpf_ids(self.pids())
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.child.wait()

    def check_gone(self, timeout=3):
        """No program, map or link that the agent ever held is left in the kernel."""
        def left():
            # `map` and `prog` answer for an id; `link show id` too. An id that is gone is an error.
            return [f"{kind} {number}" for kind, number in sorted(self.ids)
                    if run(["bpftool", kind, "show", "id", number], check=False).returncode == 0]
        deadline = time.monotonic() + timeout
        while (remains := left()) and time.monotonic() < deadline:
            time.sleep(0.1)
        check(self.ids, "no BPF object of the agent was ever seen")
        check_none(remains, "BPF objects left behind")

    # --- resources -----------------------------------------------------------------------------------------------

    def rss(self):
        """Resident bytes of all its processes; shared pages count once per process."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError), open(f"/proc/{pid}/statm") as statm:
                total += int(statm.read().split()[1]) * PAGE
        return total

    def cpu_seconds(self):
        return cpu_seconds(self.pids())

    @contextlib.contextmanager
    def watch_rss(self, step=0.05):
        """Samples the resident size; yields a list that grows."""
        samples, end = [self.rss()], threading.Event()

        def sample():
            while not end.wait(step):
                samples.append(self.rss())
        watcher = threading.Thread(target=sample, daemon=True)
        watcher.start()
        try:
            yield samples
        finally:
            end.set()
            watcher.join()

    # --- verbs ---------------------------------------------------------------------------------------------------

    def call(self, *args, input_text=None, wanted=0):
        """An online verb; Wrong unless it exits with wanted (None: any exit code)."""
        done = run([binary(), *args, "--socket", self.socket], check=False, timeout=30, input=input_text)
        if wanted is not None and done.returncode != wanted:
            raise Wrong(f"umbra {' '.join(map(str, args))}: exit {done.returncode}, expected {wanted}\n"
                        f"{done.stdout}{done.stderr}")
        return done

    def json(self, *args, wanted=0):
        done = self.call(*args, "-o", "json", wanted=wanted)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise Wrong(f"umbra {' '.join(args)} -o json did not print JSON: {done.stdout[:500]}") from None

    def ledger(self):
        return self.json("ledger")

    def settled_ledger(self, timeout=15):
        """The ledger once nothing is in flight any more; it must close by its own word and by our arithmetic."""
        def settled():
            ledger = self.json("ledger", wanted=None)
            busy = [r["rule"] for r in ledger["rules"] if r["in_flight"]["requests"] or r["in_flight"]["bytes"]]
            return ledger if not busy and ledger["capture"].get("in_queue", 0) == 0 and ledger["closes"] else None
        try:
            ledger = wait_for(settled, timeout, "a settled ledger", step=0.1)
        except LabError as error:
            raise Wrong(f"{error}:\n{json.dumps(self.json('ledger', wanted=None), indent=1)[:6000]}") from None
        check_none(imbalances(ledger), "the ledger does not close")
        self.call("ledger")
        return ledger

    def rule(self, ledger, name=None):
        rules = [r for r in ledger["rules"] if name is None or r["rule"] in (name, f"default/{name}")]
        check(len(rules) == 1 or name is None and rules, f"no row of rule {name} in the ledger: {ledger}")
        return rules[0]


def cpu_seconds(pids):
    """CPU time that processes have used so far; from the scheduler's clock, per thread, in nanoseconds."""
    spent = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat") as stat:
                    spent += int(stat.read().split()[0])
    return spent / 1e9


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def imbalances(ledger):
    """seen = mirrored + dropped + in flight, per rule and unit; the same for the kernel's part."""
    out = []
    for row in ledger["rules"]:
        for unit in UNITS:
            right = row["mirrored"][unit] + row["in_flight"][unit] + sum(d[unit] for d in row["dropped"].values())
            if row["seen"][unit] != right:
                out.append(f"{row['rule']}: {unit} seen {row['seen'][unit]}, accounted for {right}")
        kernel = row["kernel"]
        for unit in ("packets", "bytes"):
            right = kernel["cloned"][unit] + sum(
                d[unit] for reason, d in kernel["dropped"].items() if reason != "ring_full")
            if kernel["seen"][unit] != right:
                out.append(f"{row['rule']}: kernel {unit} seen {kernel['seen'][unit]}, accounted for {right}")
    capture = ledger["capture"]
    if capture["cloned"] != capture["captured"] + capture["unreported"] + capture["in_queue"]:
        out.append(f"capture does not close: {capture}")
    return out


def dropped_requests(row):
    return {reason: d["requests"] for reason, d in row["dropped"].items() if d["requests"]}
