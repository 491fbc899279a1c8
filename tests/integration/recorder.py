#!/usr/bin/python3
"""HTTP/1.1 server that records what it really received: for each request, in order of completion,
[connection, id, sha256 of the raw request bytes, their number]. It plays the origin and the mirrors.

Its behaviour is set while it runs, through a Unix socket: one JSON object per line in, one out.
  {"do":"dump"}   {"do":"counts"}   {"do":"reset"}   {"do":"mode","mode":NAME, ...}
Modes: normal | hang (reads, never answers) | noread (zero window) | close_each (Connection: close) |
  close_mid (every: N; resets each N-th request after its head) | garbage | slow (seconds: S) |
  big (bytes: B, count: N; the next N answers are B bytes long) | refuse (closes its listeners and connections)
With --keep, {"do":"raw"} gives each connection's bytes: {"raw": [{"number", "text", "proxy", "sni", "peer"}, ...]}, where proxy
is what a PROXY protocol v2 header in front said: [source, port, destination, port].
"""
import argparse
import asyncio
import hashlib
import json
import re
import socket
import ssl
import zlib

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.I)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.I)
CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.I)
EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.I)
REQUEST_ID = re.compile(rb"\r\nx-id:[ \t]*([^\r]*)", re.I)
FILL = b"the response of %s is discarded by whoever is not its client; "
BLOCK = bytes(256 * 1024)
PROXY_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def take_proxy_header(buffer):
    """Removes a PROXY v2 header from the buffer's front: [source, port, destination, port]; None if it is not whole."""
    if len(buffer) < 16 or len(buffer) < 16 + int.from_bytes(buffer[14:16], "big"):
        return None
    family, size = buffer[13], int.from_bytes(buffer[14:16], "big")
    block = bytes(buffer[16:16 + size])
    del buffer[:16 + size]
    if family not in (0x11, 0x21):
        return [f"family {family:#x}", 0, "", 0]
    kind, width = (socket.AF_INET, 4) if family == 0x11 else (socket.AF_INET6, 16)
    ports = [int.from_bytes(block[2 * width + at:2 * width + at + 2], "big") for at in (0, 2)]
    names = [socket.inet_ntop(kind, block[at:at + width]) for at in (0, width)]
    return [names[0], ports[0], names[1], ports[1]]


class Connection(asyncio.Protocol):
    def __init__(self, server):
        self.server = server
        self.buffer = bytearray()
        self.step = self.read_head
        self.stop = False
        self.can_write = asyncio.Event()
        self.can_write.set()
        self.number = server.next_connection()

    def connection_made(self, transport):
        self.transport = transport
        self.kept = {"number": self.number, "raw": bytearray(), "proxy": None, "sni": self.server.sni,
                     "peer": list(transport.get_extra_info("peername")[:2])}
        if self.server.keep:
            self.server.kept.append(self.kept)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.live.add(self)
        if self.server.mode == "noread":  # asyncio begins to read only after this call
            asyncio.get_running_loop().call_soon(transport.pause_reading)

    def connection_lost(self, _error):
        self.stop = True
        self.can_write.set()
        self.server.live.discard(self)
        if self.step != self.read_head or self.buffer:
            self.server.partial += 1

    def pause_writing(self):
        self.can_write.clear()

    def resume_writing(self):
        self.can_write.set()

    def data_received(self, data):
        self.server.bytes += len(data)
        self.buffer += data
        if self.server.keep:
            self.kept["raw"] += data
            if self.kept["raw"].startswith(PROXY_SIGNATURE) and not self.kept["proxy"]:
                self.kept["proxy"] = take_proxy_header(self.buffer)
                if not self.kept["proxy"]:
                    return
        while not self.stop and self.step():
            pass

    # Each step consumes from the buffer and says whether another step may follow.

    def take(self, count):
        self.digest.update(memoryview(self.buffer)[:count])
        del self.buffer[:count]
        self.length += count

    def read_head(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.buffer[:end + 4])
        found = REQUEST_ID.search(head)
        self.id = found.group(1).decode("latin-1") if found else head.split(b"\r\n", 1)[0].decode("latin-1")
        self.is_head = head.startswith(b"HEAD ")
        self.close_after = bool(CLOSE.search(head))
        self.digest = hashlib.sha256()
        self.length = 0
        self.take(len(head))
        self.server.heads += 1
        if self.server.mode == "close_mid" and self.server.heads % self.server.every == 0:
            return self.abort()
        if EXPECT.search(head) and self.server.mode in ("normal", "slow"):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if CHUNKED.search(head):
            self.step = self.read_chunk_size
        elif length and int(length.group(1)):
            self.left = int(length.group(1))
            self.step = self.read_body
        else:
            self.finish()
        return True

    def abort(self):
        self.stop = True
        self.transport.abort()
        return False

    def read_body(self):
        count = min(self.left, len(self.buffer))
        self.take(count)
        self.left -= count
        if self.left:
            return False
        self.finish()
        return True

    def read_chunk_size(self):
        end = self.buffer.find(b"\n")
        if end < 0:
            return False
        size = int(bytes(self.buffer[:end]).split(b";")[0].strip(), 16)
        self.take(end + 1)
        self.left = size + 2
        self.step = self.read_chunk if size else self.read_trailer
        return True

    def read_chunk(self):
        count = min(self.left, len(self.buffer))
        self.take(count)
        self.left -= count
        if self.left:
            return False
        self.step = self.read_chunk_size
        return True

    def read_trailer(self):
        end = self.buffer.find(b"\n")
        if end < 0:
            return False
        last = end <= 1
        self.take(end + 1)
        if last:
            self.finish()
        return True

    def finish(self):
        self.step = self.read_head
        digest = self.digest.hexdigest()
        self.server.requests.append((self.number, self.id, digest, self.length))
        mode = self.server.mode
        if mode == "garbage":
            self.transport.write(b"SSH-2.0-not_http\r\n\r\n")
        elif mode == "slow":
            asyncio.get_running_loop().call_later(self.server.seconds, self.answer, self.id, digest, self.is_head)
        elif mode == "big" and self.server.big_left > 0 and not self.is_head:
            self.server.big_left -= 1
            asyncio.ensure_future(self.answer_big(self.server.big_bytes))
        elif mode != "hang":
            self.answer(self.id, digest, self.is_head)
            if self.close_after or mode == "close_each":
                self.stop = True
                self.transport.close()

    def answer(self, request_id, digest, is_head):
        body = self.server.body(request_id)
        close = b"Connection: close\r\n" if self.server.mode == "close_each" or self.close_after else b""
        head = b"HTTP/1.1 200 OK\r\nX-From: %s\r\nX-Id: %s\r\nX-Sha256: %s\r\n%s" % (
            self.server.name, request_id.encode("latin-1"), digest.encode(), close)
        if len(body) % 4 == 3 and not is_head:
            half = len(body) // 2
            framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part)
            self.transport.write(head + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n")
        else:
            head += b"Content-Length: %d\r\n\r\n" % len(body)
            self.transport.write(head if is_head else head + body)
        self.server.answered += 1

    async def answer_big(self, size):
        self.transport.write(b"HTTP/1.1 200 OK\r\nX-From: %s\r\nContent-Length: %d\r\n\r\n" % (self.server.name, size))
        left = size
        while left and not self.stop:
            await self.can_write.wait()
            part = min(left, len(BLOCK))
            self.transport.write(BLOCK[:part])
            self.server.big_sent += part
            left -= part
        self.server.answered += not left


class Server:
    def __init__(self, args):
        self.name = args.name.encode()
        self.listen = args.listen
        self.keep, self.sni = args.keep, None
        self.tls = self.make_tls(*args.tls) if args.tls else None
        self.listeners = []
        self.live = set()
        self.connections = 0
        self.mode = "normal"
        self.reset()

    def reset(self):
        self.requests, self.kept = [], []
        self.heads = self.answered = self.partial = self.bytes = self.big_left = self.big_sent = 0
        self.every, self.seconds, self.big_bytes = 1, 0.0, 0

    def make_tls(self, certificate, key):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)

        def remember(_connection, name, _context):
            self.sni = name
        context.sni_callback = remember
        return context

    def next_connection(self):
        self.connections += 1
        return self.connections

    def body(self, request_id):
        fill = FILL % self.name
        size = zlib.crc32(request_id.encode("latin-1") + self.name) % 3000
        return (fill * (size // len(fill) + 1))[:size]

    async def open(self):
        loop = asyncio.get_running_loop()
        for place in self.listen:
            host, port = place.rsplit(":", 1)
            self.listeners.append(await loop.create_server(
                lambda: Connection(self), host.strip("[]"), int(port), reuse_address=True, backlog=1024,
                ssl=self.tls))

    async def set_mode(self, order):
        was, self.mode = self.mode, order["mode"]
        self.every = order.get("every", 1)
        self.seconds = order.get("seconds", 0.0)
        self.big_bytes, self.big_left = order.get("bytes", 0), order.get("count", 0)
        if self.mode == "refuse":
            for listener in self.listeners:
                listener.close()
            self.listeners = []
            for connection in list(self.live):
                connection.abort()
        elif was == "refuse":
            await self.open()
        if self.mode == "noread":
            for connection in list(self.live):
                connection.transport.pause_reading()
        elif was == "noread":
            for connection in list(self.live):
                connection.transport.resume_reading()

    def counts(self):
        return {"requests": len(self.requests), "answered": self.answered, "partial": self.partial,
                "connections": self.connections, "live": len(self.live), "bytes": self.bytes,
                "big_sent": self.big_sent, "heads": self.heads}

    async def control(self, reader, writer):
        while line := await reader.readline():
            order = json.loads(line)
            if order["do"] == "mode":
                await self.set_mode(order)
            elif order["do"] == "reset":
                self.reset()
            reply = self.counts()
            if order["do"] == "dump":
                reply["requests"] = self.requests
            elif order["do"] == "raw":
                reply["raw"] = [{**k, "raw": None, "text": k["raw"].decode("latin-1")} for k in self.kept]
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        writer.close()


async def serve(args):
    server = Server(args)
    await server.open()
    await asyncio.start_unix_server(server.control, args.control, limit=1 << 20)
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True)
    parser.add_argument("--listen", action="append", required=True, metavar="ADDR:PORT")
    parser.add_argument("--control", required=True, metavar="SOCKET")
    parser.add_argument("--keep", action="store_true", help="keep all bytes")
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
