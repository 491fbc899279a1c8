#!/usr/bin/python3
"""WebSocket peers on python3-websockets. Print JSON lines.

websocket_peer.py serve ADDRESS PORT [STATUS]: echoes messages; at the end of a connection prints {"raw": [bytes,
sha256] of all that came over it, masks included, "messages": [[kind, bytes, sha256], ...]}. With a STATUS it answers
every handshake with that.
websocket_peer.py talk ADDRESS PORT: text, binary, ping, fragments and large messages, each checked against its echo,
then a close; prints {"sent": [[kind, bytes, sha256], ...]}.
websocket_peer.py proxy ADDRESS PORT: answers CONNECT HOST:PORT and joins the two connections.
"""
import asyncio
import contextlib
import hashlib
import http
import json
import random
import sys

try:
    import websockets
    from websockets.legacy.server import WebSocketServerProtocol
except ImportError:  # the proxy needs none of it
    websockets, WebSocketServerProtocol = None, object

QUIET = {"ping_interval": None, "max_size": None, "max_queue": None, "compression": None, "close_timeout": 5}


def digest(message):
    data = message.encode() if isinstance(message, str) else message
    return [type(message).__name__, len(data), hashlib.sha256(data).hexdigest()]


class Protocol(WebSocketServerProtocol):
    status = None

    def connection_made(self, transport):
        self.raw, self.raw_length = hashlib.sha256(), 0
        super().connection_made(transport)

    def data_received(self, data):
        self.raw.update(data)
        self.raw_length += len(data)
        super().data_received(data)

    async def process_request(self, path, _fields):
        if self.status:
            return http.HTTPStatus(self.status), [("Content-Type", "text/plain")], b"no websocket here\n"
        return None


async def echo(connection):
    messages = []
    with contextlib.suppress(websockets.ConnectionClosed):
        async for message in connection:
            messages.append(digest(message))
            with contextlib.suppress(websockets.ConnectionClosed):  # whoever closed may have sent more before
                await connection.send(message)
    await connection.wait_closed()
    print(json.dumps({"raw": [connection.raw_length, connection.raw.hexdigest()], "messages": messages}), flush=True)


async def serve(address, port, status=None):
    Protocol.status = status and int(status)
    async with websockets.serve(echo, address, int(port), create_protocol=Protocol, **QUIET):
        await asyncio.Event().wait()


async def talk(address, port):
    rand = random.Random(f"websocket {port}")
    texts = ["", "a", "straße ☃", "GET /not-a-request HTTP/1.1\r\nHost: x\r\n\r\n", "x" * 125, "x" * 126,
             "y" * 65536]
    blobs = [rand.randbytes(size) for size in (0, 1, 4096, 65535, 1_000_000, 5_000_000)]
    sent = []
    async with websockets.connect(f"ws://{address}:{port}/echo", **QUIET) as connection:
        for message in texts + blobs:
            await connection.send(message)
            assert await connection.recv() == message, "another echo"
            sent.append(digest(message))
            await asyncio.wait_for(await connection.ping(), 10)
        parts = [rand.randbytes(rand.randrange(1, 30000)) for _ in range(40)]
        await connection.send(parts)  # one message of many frames
        assert await connection.recv() == b"".join(parts), "another echo"
        sent.append(digest(b"".join(parts)))
        burst = [f"{i} " * rand.randrange(300) for i in range(300)]
        for message in burst:  # none waits for an echo
            await connection.send(message)
            sent.append(digest(message))
        for message in burst:
            assert await connection.recv() == message, "another echo"
    print(json.dumps({"sent": sent}))


async def join(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def tunnel(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    method, place, _ = head.split(b" ", 2)
    assert method == b"CONNECT", head
    host, port = place.decode().rsplit(":", 1)
    onward_reader, onward = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await asyncio.gather(join(reader, onward), join(onward_reader, writer))
    writer.close()
    onward.close()


async def proxy(address, port):
    server = await asyncio.start_server(tunnel, address, int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run({"serve": serve, "talk": talk, "proxy": proxy}[sys.argv[1]](*sys.argv[2:]))
