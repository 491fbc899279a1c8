#!/usr/bin/python3
"""Connections with known source ports, one after the other, each with some GETs whose X-Id is PORT-NUMBER:
flow_client.py ADDRESS PORT FIRST_SOURCE_PORT CONNECTIONS REQUESTS [NAME VALUES]; with NAME, request N carries that
field with the value N modulo VALUES, and none when 17 divides N. Prints {"requests": N}; a wrong answer ends it.
"""
import json
import socket
import struct
import sys


def exchange(sock, data, wanted):
    sock.sendall(data)
    got = b""
    while wanted not in got or b"\r\n\r\n" not in got:
        more = sock.recv(65536)
        assert more, f"closed by the server after {got[:100]!r}"
        got += more
    assert got.startswith(b"HTTP/1.1 200"), got[:100]


def main(address, port, first, connections, requests, field=None, values=1):
    number = 0
    for source in range(int(first), int(first) + int(connections)):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
            sock.settimeout(10)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", source))
            sock.connect((address, int(port)))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for turn in range(int(requests)):
                number += 1
                extra = f"{field}: value-{number % int(values)}\r\n" if field and number % 17 else ""
                head = f"GET /flow HTTP/1.1\r\nHost: v1\r\nX-Id: {source}-{turn}\r\n{extra}\r\n"
                exchange(sock, head.encode(), f"X-Id: {source}-{turn}\r\n".encode())
            # A reset leaves no TIME_WAIT behind: the same tuple can be used again at once.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    print(json.dumps({"requests": number}))


if __name__ == "__main__":
    main(*sys.argv[1:])
