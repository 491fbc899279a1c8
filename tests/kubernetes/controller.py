"""Runs `umbra controller` against a FeedPeer and measures it."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from agent import binary, cpu_seconds
from case import Wrong
from feed_peer import FeedPeer
from lab import die_with_parent


class Controller:
    """Use as a context manager: .peer is the loader's end of its feed."""

    def __init__(self, kubeconfig, node, namespace, name="controller", args=()):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="umbra-ctl-"))
        self.name, self.kubeconfig, self.node, self.namespace = name, kubeconfig, node, namespace
        self.args = [str(a) for a in args]
        self.peer = FeedPeer(self.dir / "feed.sock")
        self.child = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is not None:
            print(f"    --- log of {self.name} ---\n{self.log()[-4000:]}")
        self.kill()
        self.peer.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        argv = [binary(), "controller", "--socket", self.peer.path, "--kubeconfig", self.kubeconfig,
                "--node", self.node, "--namespace", self.namespace, *self.args]
        with open(self.dir / "log", "ab", buffering=0) as log:
            self.child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          preexec_fn=die_with_parent,
                                          env={**os.environ, "POD_NAME": f"{self.name}-{self.node}"})
        return self

    def log(self):
        return (self.dir / "log").read_text(errors="replace")

    def kill(self, sig=signal.SIGKILL):
        if self.child and self.child.poll() is None:
            self.child.send_signal(sig)
        return self.child.wait(15) if self.child else None

    def check_alive(self):
        if self.child.poll() is not None:
            raise Wrong(f"{self.name} ended with {self.child.returncode}:\n{self.log()[-3000:]}")

    def memory(self):
        """(resident now, resident at most), in bytes."""
        fields = dict(line.split(":", 1) for line in open(f"/proc/{self.child.pid}/status") if ":" in line)
        return tuple(int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))

    def cpu(self):
        return cpu_seconds([self.child.pid])
