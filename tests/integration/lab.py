"""A small network of namespaces for Umbra: a node, a client, an origin (v1) and mirrors (v2, ...).

The machine's own network is never touched. A Lab is a context manager: it kills what it started and removes its
namespaces on every way out. Names carry the owner's process id, so a killed run is swept up by the next one.

Layouts
  routed  every peer behind its own veth of the node, a subnet each; the node forwards
  bridge  every peer behind a port of the node's bridge br0, one subnet
  host    v1 lives on the node itself; client and mirrors are routed peers
"""
import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PREFIX = "um"
LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
HERE = pathlib.Path(__file__).resolve().parent


class LabError(Exception):
    pass


def run(argv, check=True, timeout=60, **kwargs):
    """Runs a short command and returns it completed, with text output."""
    done = subprocess.run([str(a) for a in argv], text=True, errors="replace", capture_output=True, timeout=timeout,
                          **kwargs)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for(condition, timeout, what, step=0.02):
    """Waits until condition() is truthy and returns its value; LabError after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise LabError(f"{what}: not within {timeout:g} s")
        time.sleep(step)


def namespaces():
    return [line.split()[0] for line in run(["ip", "netns", "list"]).stdout.splitlines() if line.strip()]


def remove_namespace(name):
    for pid in run(["ip", "netns", "pids", name], check=False).stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except (ProcessLookupError, ValueError):
            pass
    run(["ip", "netns", "del", name], check=False)


def sweep_stale():
    """Removes namespaces of labs whose owner is dead."""
    for name in namespaces():
        owner = re.fullmatch(PREFIX + r"(\d+)-[a-z0-9]+", name)
        if owner and not os.path.exists(f"/proc/{owner.group(1)}"):
            remove_namespace(name)


def raise_exit(signum, _frame):
    signal.signal(signum, signal.SIG_IGN)
    sys.exit(128 + signum)


class Lab:
    def __init__(self, layout="routed", mirrors=1, keep_files=False):
        self.layout = layout
        self.peers = ["client"] + ([] if layout == "host" else ["v1"]) + \
            ["v2" if i == 0 else f"v2{chr(ord('a') + i)}" for i in range(mirrors)]
        self.mirrors = self.peers[-mirrors:] if mirrors else []
        self.children = []
        self.keep_files = keep_files
        self.dir = None

    def __enter__(self):
        if os.geteuid() != 0:
            raise LabError("network namespaces need root")
        for sig in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(sig, raise_exit)
        sweep_stale()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"umbra-lab-{os.getpid()}-"))
        self.dir.chmod(0o755)
        try:
            self.build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    # --- network -------------------------------------------------------------------------------------------------

    def ns(self, role):
        if role == "v1" and self.layout == "host":
            role = "node"
        return f"{PREFIX}{os.getpid()}-{role}"

    def dev(self, role):
        """The node's device that leads to a peer."""
        return f"to-{role}"

    def _subnet(self, role):
        return 9 if self.layout == "bridge" else self.peers.index(role)

    def _host_part(self, role):
        return 10 + self.peers.index(role) if self.layout == "bridge" else 2

    def addr(self, role, family=4):
        """Address of a peer; in the host layout v1 has the node's address towards the client."""
        if role == "v1" and self.layout == "host":
            return self.gateway("client", family)
        part = self._host_part(role)
        subnet = self._subnet(role)
        return f"10.80.{subnet}.{part}" if family == 4 else f"fd80:0:0:{subnet}::{part:x}"

    def gateway(self, role, family=4):
        subnet = self._subnet(role)
        return f"10.80.{subnet}.1" if family == 4 else f"fd80:0:0:{subnet}::1"

    def build(self):
        for role in ["node"] + self.peers:
            remove_namespace(self.ns(role))
            run(["ip", "netns", "add", self.ns(role)])
            for key in ("all", "default"):
                self.sysctl(role, f"net/ipv6/conf/{key}/accept_dad", 0)
            run(["ip", "-n", self.ns(role), "link", "set", "lo", "up"])
        self.sysctl("node", "net/ipv4/ip_forward", 1)
        self.sysctl("node", "net/ipv6/conf/all/forwarding", 1)
        for key in ("all", "default"):
            self.sysctl("node", f"net/ipv4/conf/{key}/rp_filter", 0)
        self.sysctl("client", "net/ipv4/tcp_autocorking", 0, must=False)
        if self.layout == "bridge":
            self.ip("node", "link", "add", "br0", "type", "bridge")
            self.ip("node", "link", "set", "br0", "up")
            self._node_address("br0", self.peers[0])
        for role in self.peers:
            self._connect(role)

    def _node_address(self, dev, role):
        self.ip("node", "addr", "add", f"{self.gateway(role)}/24", "dev", dev)
        self.ip("node", "addr", "add", f"{self.gateway(role, 6)}/64", "dev", dev, "nodad")

    def _connect(self, role):
        dev = self.dev(role)
        run(["ip", "-n", self.ns("node"), "link", "add", "name", dev, "type", "veth",
             "peer", "name", "eth0", "netns", self.ns(role)])
        if self.layout == "bridge":
            self.ip("node", "link", "set", dev, "master", "br0")
        else:
            self._node_address(dev, role)
        self.ip("node", "link", "set", dev, "up")
        self.ip(role, "link", "set", "eth0", "up")
        self.ip(role, "addr", "add", f"{self.addr(role)}/24", "dev", "eth0")
        self.ip(role, "addr", "add", f"{self.addr(role, 6)}/64", "dev", "eth0", "nodad")
        self.ip(role, "route", "add", "default", "via", self.gateway(role))
        self.ip(role, "-6", "route", "add", "default", "via", self.gateway(role, 6))

    def ip(self, role, *args):
        return run(["ip", "-n", self.ns(role), *args])

    def sysctl(self, role, key, value, must=True):
        self.exec(role, ["sh", "-c", f"echo {value} > /proc/sys/{key}"], check=must)

    def traffic(self, role, device):
        """Packets and bytes that a device has received."""
        text = self.exec(role, ["cat", f"/sys/class/net/{device}/statistics/rx_packets",
                                f"/sys/class/net/{device}/statistics/rx_bytes"]).stdout
        return tuple(int(number) for number in text.split())

    def set_blackhole(self, role, on):
        """Drops every packet from the node to a peer silently, or stops doing so."""
        if on:
            rules = "add table inet hole\n" \
                "add chain inet hole in { type filter hook input priority 0; policy drop; }\n"
            self.exec(role, ["nft", "-f", "-"], input=rules)
        else:
            self.exec(role, ["nft", "delete", "table", "inet", "hole"])

    def set_loss(self, role, hook, percent):
        """Drops some of the TCP packets that pass a hook (input, forward, output) of a namespace, at random."""
        table = f"loss_{hook}"
        self.exec(role, ["nft", "-f", "-"], input=f"""add table inet {table}
add chain inet {table} c {{ type filter hook {hook} priority 0; }}
add rule inet {table} c meta l4proto tcp numgen random mod 1000 < {int(percent * 10)} drop
""")

    # --- processes -----------------------------------------------------------------------------------------------

    def argv(self, role, argv):
        return ["ip", "netns", "exec", self.ns(role), *[str(a) for a in argv]]

    def exec(self, role, argv, check=True, timeout=60, **kwargs):
        return run(self.argv(role, argv), check=check, timeout=timeout, **kwargs)

    def spawn(self, role, argv, name, env=None):
        """Starts a long-running process in a namespace; its output goes to NAME.log in the lab's folder."""
        log = open(self.dir / f"{name}.log", "ab", buffering=0)
        child = subprocess.Popen(self.argv(role, argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 env={**os.environ, **(env or {})}, preexec_fn=die_with_parent)
        log.close()
        self.children.append(child)
        return child

    def log(self, name):
        path = self.dir / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_port(self, role, address, port, timeout=10):
        """Waits until something listens on address:port in the role's namespace."""
        wanted = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        every = {f"*:{port}", f"0.0.0.0:{port}", f"[::]:{port}"}

        def listening():
            out = self.exec(role, ["ss", "-Hltn"]).stdout
            places = {line.split()[3] for line in out.splitlines() if line.strip()}
            return wanted in places or places & every
        wait_for(listening, timeout, f"a listener on {wanted}", step=0.05)

    def kill(self, child, sig=signal.SIGKILL, timeout=10):
        if child.poll() is None:
            child.send_signal(sig)
            if sig not in (signal.SIGSTOP, signal.SIGCONT):
                child.wait(timeout)
        return child.returncode

    def close(self):
        """Removes everything; signals wait until that is done."""
        asked = [signal.signal(sig, signal.SIG_IGN) for sig in (signal.SIGINT, signal.SIGTERM)]
        self.remove()
        for sig, handler in zip((signal.SIGINT, signal.SIGTERM), asked):
            signal.signal(sig, handler)

    def remove(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
        for child in self.children:
            child.wait()
        for role in ["node"] + self.peers:
            remove_namespace(self.ns(role))
        if self.dir and not self.keep_files:
            shutil.rmtree(self.dir, ignore_errors=True)
