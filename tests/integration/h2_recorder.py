#!/usr/bin/python3
"""HTTP/2 server on python3-h2 that records what it really received: for each stream, in order of completion,
[connection, id, sha256 of headers, body and trailers, bytes of the body, fields]. fields: method, path, the headers in
their order, trailers. Streams that never completed are counted as "reset" or "partial".

Control socket and the orders dump, counts, reset as in recorder.py. Its modes: normal | hang | goaway (every: N; says
that it goes away after N streams of a connection) | rst (every: N; resets each N-th stream once its headers came) |
refuse_stream (the same with REFUSED_STREAM) | close (every: N; closes the connection at its N-th stream).
--window BYTES is its initial window, --streams N its limit of concurrent streams. It takes prior knowledge and h2c.
"""
import argparse
import asyncio
import hashlib
import json
import re

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

PREFACE = b"PRI * HTTP/2.0"


def text(headers):
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


class Stream:
    def __init__(self, headers):
        self.headers, self.trailers = text(headers), []
        self.body, self.length = hashlib.sha256(), 0

    def entry(self, connection):
        fields = dict(self.headers)
        body = self.body.hexdigest()
        whole = hashlib.sha256(json.dumps([self.headers, body, self.trailers]).encode()).hexdigest()
        name = fields.get("x-id") or f"{fields.get(':method')} {fields.get(':path')}"
        return [connection, name, whole, self.length,
                {"headers": self.headers, "body": body, "trailers": self.trailers}]


class Connection(asyncio.Protocol):
    def __init__(self, server):
        self.server = server
        self.number = server.next_connection()
        self.streams, self.started, self.http1 = {}, 0, b""

    def connection_made(self, transport):
        self.transport = transport
        self.server.live.add(self)
        self.h2 = None

    def begin(self, settings_header=None):
        config = h2.config.H2Configuration(client_side=False, header_encoding=None, validate_inbound_headers=False)
        self.h2 = h2.connection.H2Connection(config=config)
        codes = h2.settings.SettingCodes
        if settings_header is None:
            self.h2.initiate_connection()
        else:
            self.h2.initiate_upgrade_connection(settings_header)
        # In a frame of their own: they hold once the peer has acknowledged them, streams opened before that are taken.
        self.h2.update_settings({codes.INITIAL_WINDOW_SIZE: self.server.window,
                                 codes.MAX_CONCURRENT_STREAMS: self.server.streams})
        self.flush()

    def data_received(self, data):
        if self.transport.is_closing():
            return
        if self.h2 is None:
            self.http1 += data
            data = self.first_bytes()
            if data is None:
                return
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self.server.errors.append(str(error))
            self.flush()
            self.transport.close()
            return
        for event in events:
            self.handle(event)
        self.flush()

    def first_bytes(self):
        """Prior knowledge, or an HTTP/1 request that asks for h2c; None: wait."""
        if self.http1.startswith(PREFACE[:len(self.http1)]):
            self.begin()
            return self.http1
        head, end, rest = self.http1.partition(b"\r\n\r\n")
        if not end:
            return None
        settings = re.search(rb"(?im)^http2-settings:[ \t]*(\S+)", head)
        if not settings:
            self.transport.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.transport.close()
            return None
        self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        self.begin(settings.group(1))
        method, path, _ = head.split(b" ", 2)
        self.streams[1] = Stream([(b":method", method), (b":path", path)])
        self.finish(1)
        return rest

    def flush(self):
        self.transport.write(self.h2.data_to_send())

    def handle(self, event):
        stream_id = getattr(event, "stream_id", None)
        stream = self.streams.get(stream_id)
        if isinstance(event, h2.events.RequestReceived):
            self.streams[stream_id] = Stream(event.headers)
            self.started += 1
            self.server.heads += 1
            self.misbehave(stream_id)
        elif isinstance(event, h2.events.DataReceived):
            self.server.bytes += len(event.data)
            if stream:
                stream.body.update(event.data)
                stream.length += len(event.data)
                self.server.progress = max(self.server.progress, stream.length)
            self.widen(event)
        elif isinstance(event, h2.events.TrailersReceived) and stream:
            stream.trailers = text(event.headers)
        elif isinstance(event, h2.events.StreamEnded) and stream:
            self.finish(stream_id)
        elif isinstance(event, h2.events.StreamReset) and stream:
            self.server.resets += 1
            del self.streams[stream_id]

    def widen(self, data):
        """Gives back what was read at once, so that windows stay as small as they were announced."""
        if data.flow_controlled_length:
            self.h2.increment_flow_control_window(data.flow_controlled_length)
            if not data.stream_ended and data.stream_id in self.streams:
                self.h2.increment_flow_control_window(data.flow_controlled_length, data.stream_id)

    def misbehave(self, stream_id):
        mode, due = self.server.mode, self.server.heads % self.server.every == 0
        if mode in ("rst", "refuse_stream") and due:
            codes = h2.errors.ErrorCodes
            self.h2.reset_stream(stream_id, codes.REFUSED_STREAM if mode == "refuse_stream" else codes.INTERNAL_ERROR)
            del self.streams[stream_id]
            self.server.own_resets += 1
        elif mode == "goaway" and self.started == self.server.every:
            self.h2.close_connection(last_stream_id=stream_id)
            self.flush()
            asyncio.get_running_loop().call_later(1.0, self.transport.close)
        elif mode == "close" and self.started == self.server.every:
            self.transport.abort()

    def finish(self, stream_id):
        stream = self.streams.pop(stream_id)
        self.server.requests.append(stream.entry(self.number))
        if self.server.mode == "hang":
            return
        is_head = [":method", "HEAD"] in stream.headers
        try:
            self.h2.send_headers(stream_id, [(b":status", b"200"), (b"x-from", self.server.name)], end_stream=is_head)
            if not is_head:
                self.h2.send_data(stream_id, b"the answer of %s" % self.server.name, end_stream=True)
            self.server.answered += 1
        except h2.exceptions.ProtocolError as error:  # after our own GOAWAY or the peer's reset
            self.server.errors.append(str(error))

    def connection_lost(self, _error):
        self.server.live.discard(self)
        self.server.partial += len(self.streams)


class Server:
    def __init__(self, args):
        self.name, self.window, self.streams = args.name.encode(), args.window, args.streams
        self.live, self.connections, self.mode, self.every = set(), 0, "normal", 1
        self.reset()

    def reset(self):
        self.requests, self.errors = [], []
        self.heads = self.answered = self.partial = self.resets = self.own_resets = self.bytes = self.progress = 0

    def next_connection(self):
        self.connections += 1
        return self.connections

    def counts(self):
        return {"requests": len(self.requests), "answered": self.answered, "partial": self.partial,
                "resets": self.resets, "own_resets": self.own_resets, "connections": self.connections,
                "live": len(self.live), "bytes": self.bytes, "heads": self.heads, "progress": self.progress,
                "errors": self.errors[:10]}

    async def control(self, reader, writer):
        while line := await reader.readline():
            order = json.loads(line)
            if order["do"] == "mode":
                self.mode, self.every = order["mode"], order.get("every", 1)
            elif order["do"] == "reset":
                self.reset()
            reply = self.counts()
            if order["do"] == "dump":
                reply["requests"] = self.requests
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        writer.close()


async def serve(args):
    server = Server(args)
    loop = asyncio.get_running_loop()
    for place in args.listen:
        host, port = place.rsplit(":", 1)
        await loop.create_server(lambda: Connection(server), host.strip("[]"), int(port), backlog=1024)
    await asyncio.start_unix_server(server.control, args.control, limit=1 << 20)
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True)
    parser.add_argument("--listen", action="append", required=True, metavar="ADDR:PORT")
    parser.add_argument("--control", required=True, metavar="SOCKET")
    parser.add_argument("--window", type=int, default=65535)
    parser.add_argument("--streams", type=int, default=1000)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
