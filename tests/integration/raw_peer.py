#!/usr/bin/python3
"""Plain TCP peers for what is not proper HTTP. Prints JSON lines.

raw_peer.py serve NAME ADDRESS PORT: takes whatever comes, answers each piece with "NAME ok\\n", and at the end of a
connection prints {"bytes", "sha256", "text"} of what came.
raw_peer.py send ADDRESS PORT ENDING: reads one JSON line [hex, ...] from stdin and sends the pieces one by one, each
after an answer to the one before; then ends the connection: close | half (half-close, read to the end) | reset.
"""
import asyncio
import hashlib
import json
import socket
import struct
import sys


class Sink(asyncio.Protocol):
    def __init__(self, name):
        self.name = name

    def connection_made(self, transport):
        self.transport = transport
        self.data = bytearray()

    def data_received(self, data):
        self.data += data
        self.transport.write(self.name.encode() + b" ok\n")

    def connection_lost(self, _error):
        print(json.dumps({"bytes": len(self.data), "sha256": hashlib.sha256(self.data).hexdigest(),
                          "text": self.data[:200].decode("latin-1")}), flush=True)


async def serve(name, address, port):
    server = await asyncio.get_running_loop().create_server(lambda: Sink(name), address, int(port))
    await server.serve_forever()


def send(address, port, ending):
    pieces = [bytes.fromhex(piece) for piece in json.loads(sys.stdin.readline())]
    answers = b""
    with socket.create_connection((address, int(port)), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sock.sendall(piece)
            answers += sock.recv(65536)
        if ending == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif ending == "half":
            sock.shutdown(socket.SHUT_WR)
            while data := sock.recv(65536):
                answers += data
    print(json.dumps({"sent": sum(map(len, pieces)), "sha256": hashlib.sha256(b"".join(pieces)).hexdigest(),
                      "answers": answers.decode("latin-1")}))


def main():
    if sys.argv[1] == "serve":
        asyncio.run(serve(*sys.argv[2:5]))
    else:
        send(*sys.argv[2:5])


if __name__ == "__main__":
    main()
