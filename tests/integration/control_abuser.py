#!/usr/bin/python3
"""A hostile client of the control socket: control_abuser.py SOCKET KIND COUNT. Kinds:
half: COUNT connections that say 0 to 7 bytes and wait for their end; garbage: COUNT frames of random bytes and lengths;
deaf: COUNT requests whose answers are not read until the end; busy: COUNT whole requests, the dearest that a reader has.
Runs until all are done, with at most WIDTH connections at once; prints {"connected": N, "answered": N}.
"""
import json
import os
import random
import select
import socket
import sys

WIDTH = 256
PATIENCE = 20  # seconds without any event


def frame(text, length=None):
    return (len(text) if length is None else length).to_bytes(4, "big") + text


def dear_request():
    """As many documents as a request may carry, to be parsed and compiled."""
    rule = ("apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: r%d}\nspec:\n  destination: "
            "{name: httpbin}\n  precedence: %d\n  route: [{labels: {version: v1}}]\n  mirror: {name: httpbin, "
            "labels: {version: v2}}\n---\n")
    text = "".join(rule % (i, i) for i in range(4000))
    return frame(json.dumps({"verb": "diff", "documents": [{"name": "all.yaml", "text": text}]}).encode())


def requests(kind, count):
    drawn = random.Random(7)
    ready = {"busy": dear_request, "deaf": lambda: frame(b'{"verb":"status"}')}.get(kind, bytes)()
    for _ in range(count):
        if kind == "half":
            yield frame(b'{"verb":"status"}')[:drawn.randrange(8)]
        elif kind == "garbage":
            yield frame(drawn.randbytes(drawn.randrange(64)), drawn.choice((None, 0, 1 << 20, 0xffffffff)))
        else:
            yield ready


def connect(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)  # blocks while the backlog is full
    sock.settimeout(PATIENCE)
    return sock


def drain(open_socks, least, answers):
    """Reads from what has something to say until fewer than least are open."""
    while len(open_socks) >= max(least, 1):
        ready = select.select(open_socks, [], [], PATIENCE)[0]
        if not ready:
            sys.exit(f"{len(open_socks)} connections are neither answered nor closed")
        for sock in ready:
            try:
                got = sock.recv(1 << 16)
            except OSError:
                got = b""
            if got:
                answers.add(sock)
                continue
            open_socks.remove(sock)
            sock.close()


def main():
    path, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    open_socks, answers, connected = [], set(), 0
    for request in requests(kind, count):
        try:
            sock = connect(path)
        except OSError as error:
            sys.exit(f"connection {connected}: {error}")
        connected += 1
        try:
            sock.sendall(request)
        except OSError:
            pass  # refused already
        open_socks.append(sock)
        if kind != "deaf":
            drain(open_socks, WIDTH if kind == "half" else 8, answers)
        elif len(open_socks) == WIDTH:
            drain(open_socks, 1, answers)
    drain(open_socks, 1, answers)
    print(json.dumps({"uid": os.geteuid(), "connected": connected, "answered": len(answers)}))


if __name__ == "__main__":
    main()
