"""A TCP proxy with faults, between the program under test and an API server.

  with FaultProxy(host, port) as proxy:
      ...proxy.port...
      proxy.cut()           closes every connection with a reset; new ones pass
      proxy.refuse(True)    the same, and new ones are reset as well
      proxy.stall(True)     connections stay open and nothing passes any more; new ones are taken and stay silent
      proxy.abandon()       the connections of now fall silent for good; new ones pass
      proxy.half_close()    the server's end of every connection ends orderly, in the middle of whatever it was
      proxy.delay(0.2)      what the server says comes that much later
      proxy.throttle(4096)  bytes per second of each connection from the server

`netns` puts the listening socket into a network namespace, so that a node there reaches a server outside.
"""
import contextlib
import ctypes
import socket
import struct
import threading
import time

CLONE_NEWNET = 0x40000000
CHUNK = 16384
RESET = struct.pack("ii", 1, 0)


def listen(netns=None, port=0):
    """A listening socket on loopback, in a named network namespace where one is given."""
    made = []

    def make():
        if netns:
            with open(f"/run/netns/{netns}") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    made.append(OSError(ctypes.get_errno(), f"entering network namespace {netns}"))
                    return
        made.append(socket.create_server(("127.0.0.1", port), backlog=256))
    maker = threading.Thread(target=make)  # setns moves one thread, which then ends
    maker.start()
    maker.join()
    if not made or isinstance(made[0], Exception):
        raise made[0] if made else OSError("no listening socket")
    return made[0]


class Pair:
    """One connection: the client's socket and ours to the server."""

    def __init__(self, client, gate):
        self.client, self.server = client, None
        self.gate = gate

    def end(self, reset=False):
        for end in (self.client, self.server):
            if end is None:
                continue
            with contextlib.suppress(OSError):
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                else:
                    end.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RD)  # wakes a thread that reads it
            with contextlib.suppress(OSError):
                end.close()


class FaultProxy:
    def __init__(self, host, port, netns=None):
        self.upstream = (host, port)
        self.listener = listen(netns)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.pairs = []
        self.accepted = 0
        self.bytes_down = 0
        self.refusing = self.stalled = False
        self.wait_before, self.rate = 0.0, 0
        self.moving = threading.Event()
        self.moving.set()
        self.never = threading.Event()
        self.abandoned = []
        self.closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def connections(self):
        with self.lock:
            return len(self.pairs)

    # --- faults --------------------------------------------------------------------------------------------------

    def cut(self):
        """Resets every connection; returns how many there were."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            pair.end(reset=True)
        return len(pairs)

    def refuse(self, on):
        self.refusing = on
        return self.cut() if on else 0

    def stall(self, on):
        """Off again: what waited passes."""
        self.stalled = on
        self.moving.clear() if on else self.moving.set()

    def abandon(self):
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            pair.gate = self.never
        self.abandoned += pairs
        return len(pairs)

    def half_close(self):
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            with contextlib.suppress(OSError):
                pair.client.shutdown(socket.SHUT_WR)
        return len(pairs)

    def delay(self, seconds):
        self.wait_before = seconds

    def throttle(self, bytes_per_second):
        """0: no limit."""
        self.rate = bytes_per_second

    def heal(self):
        self.refusing, self.wait_before, self.rate = False, 0.0, 0
        self.stall(False)

    def close(self):
        self.closed = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.moving.set()
        self.never.set()
        self.cut()
        for pair in self.abandoned:
            pair.end(reset=True)

    # --- forwarding ----------------------------------------------------------------------------------------------

    def _accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            pair = Pair(client, self.moving)
            if self.refusing:
                pair.end(reset=True)
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.append(pair)
                self.accepted += 1
            threading.Thread(target=self._serve, args=(pair,), daemon=True).start()

    def _serve(self, pair):
        pair.gate.wait()
        try:
            pair.server = socket.create_connection(self.upstream, 10)
            pair.server.settimeout(None)
            pair.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            self._forget(pair)
            return
        threading.Thread(target=self._up, args=(pair,), daemon=True).start()
        self._down(pair)

    def _forget(self, pair):
        with self.lock:
            if pair in self.pairs:
                self.pairs.remove(pair)
        pair.end()

    def _up(self, pair):
        try:
            while data := pair.client.recv(CHUNK):
                pair.gate.wait()
                pair.server.sendall(data)
            pair.server.shutdown(socket.SHUT_WR)
        except OSError:
            self._forget(pair)

    def _down(self, pair):
        try:
            while data := pair.server.recv(min(CHUNK, max(512, self.rate // 8)) if self.rate else CHUNK):
                if self.wait_before:
                    time.sleep(self.wait_before)
                if self.rate:
                    time.sleep(len(data) / self.rate)
                pair.gate.wait()
                pair.client.sendall(data)
                self.bytes_down += len(data)
        except OSError:
            pass
        self._forget(pair)
