#!/usr/bin/python3
"""Client that sends planned requests over keep-alive connections and checks every answer: from the expected server,
for that request, over exactly the bytes that were sent. Prints a summary as JSON; --out gets the list of requests.

Ends after --requests in all, or after --seconds. SIGTERM ends a run in good order.
"""
import argparse
import hashlib
import json
import queue
import random
import signal
import socket
import struct
import sys
import threading
import time

import requests_plan

STOP = threading.Event()


class AnswerError(Exception):
    pass


class Reader:
    """Reads responses from a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()

    def fill(self):
        data = self.sock.recv(256 * 1024)
        if not data:
            raise AnswerError("connection closed by the server")
        self.buffer += data

    def take_line(self):
        while (end := self.buffer.find(b"\r\n")) < 0:
            self.fill()
        line = bytes(self.buffer[:end])
        del self.buffer[:end + 2]
        return line

    def take(self, count):
        while len(self.buffer) < count:
            self.fill()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def take_head(self):
        status = int(self.take_line().split()[1])
        fields = {}
        while line := self.take_line():
            name, _, value = line.partition(b":")
            fields[name.lower().decode()] = value.strip().decode("latin-1")
        return status, fields

    def response(self, is_head):
        """The next final response: status, fields, body."""
        status, fields = self.take_head()
        while status == 100:
            status, fields = self.take_head()
        if is_head or status in (204, 304):
            return status, fields, b""
        if fields.get("transfer-encoding") == "chunked":
            return status, fields, self.take_chunked()
        return status, fields, self.take(int(fields["content-length"]))

    def take_chunked(self):
        body = b""
        while size := int(self.take_line(), 16):
            body += self.take(size + 2)[:-2]
        self.take_line()
        return body


class Client(threading.Thread):
    """One client connection after the other, all with the same connection number."""

    def __init__(self, number, args, share):
        super().__init__(daemon=True)
        self.args = args
        self.share = share
        self.random = random.Random(f"client {args.seed} {number}")
        weights = dict(part.split("=") for part in args.mix.split(",")) if args.mix else None
        self.plan = requests_plan.Plan(args.seed, args.tag, number, f"{args.host}:{args.port}",
                                       {k: int(v) for k, v in weights.items()} if weights else None, args.max_body)
        self.upload = args.upload
        self.sock = None
        self.records, self.errors, self.latencies = [], [], []
        self.sent = self.answered = self.failed = self.bytes = 0

    def connect(self):
        self.sock = socket.create_connection((self.args.host, self.args.port), timeout=self.args.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self.sock)
        self.records.append([])
        self.since_connect = 0

    def disconnect(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def run(self):
        while not STOP.is_set() and self.share.claim():
            batch = self.make_upload() if self.upload else self.plan.next()
            self.share.claim_more(len(batch.requests) - 1)
            records = [r.record() for r in batch.requests]
            try:
                self.exchange(batch, records)
            except (OSError, AnswerError, ValueError, KeyError, IndexError) as error:
                self.failed += len(batch.requests) - self.answered_in_batch
                self.errors.append(f"{batch.kind} {batch.requests[0].id}: {type(error).__name__}: {error}")
                self.disconnect()
            self.sent += len(records)
            self.bytes += sum(r[2] for r in records)
            if self.args.reconnect and self.sock and self.since_connect >= self.args.reconnect:
                self.close_nicely()
            self.share.pace()
        self.close_nicely()

    def make_upload(self):
        request = self.plan.request(0)
        block = self.plan.payload(1024 * 1024)
        times = self.upload // len(block)
        head = request.head.split(b" ", 1)[1].replace(b"Content-Length: 0\r\n", b"")
        head = b"POST " + head[:-2] + b"Content-Length: %d\r\n\r\n" % (times * len(block))
        return requests_plan.Batch("upload", [Upload(request.id, head, block, times)], [head] + [block] * times)

    def exchange(self, batch, records):
        self.answered_in_batch = 0
        if not self.sock:
            self.connect()
        self.records[-1] += records
        begin = time.monotonic()
        if batch.kind in ("pipelined", "large", "upload"):
            self.write_and_read(batch, records)
        else:
            for index, piece in enumerate(batch.pieces):
                self.sock.sendall(piece)
                if index == batch.continue_after:
                    self.await_continue()
            self.read_answers(batch, records)
        if len(batch.requests) == 1:
            self.latencies.append(time.monotonic() - begin)
        self.since_connect += len(batch.requests)

    def write_and_read(self, batch, records):
        """Sends from a second thread, so that unread answers never stop the sending."""
        def send():
            try:
                for piece in batch.pieces:
                    self.sock.sendall(piece)
            except OSError as error:
                trouble.put(error)
        trouble = queue.Queue()
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        try:
            self.read_answers(batch, records)
        finally:
            sender.join(self.args.timeout)
        if not trouble.empty():
            raise trouble.get()

    def await_continue(self):
        while b"\r\n\r\n" not in self.reader.buffer:
            self.reader.fill()
        if not self.reader.buffer.startswith(b"HTTP/1.1 100"):
            raise AnswerError("no 100 Continue")

    def read_answers(self, batch, records):
        for request, record in zip(batch.requests, records):
            status, fields, body = self.reader.response(request.method == "HEAD")
            if self.args.any_server:
                if status >= 500:
                    raise AnswerError(f"status {status}")
            else:
                self.check(status, fields, body, record)
            self.answered += 1
            self.answered_in_batch += 1

    def check(self, status, fields, body, record):
        request_id, digest, _ = record
        facts = (status, fields.get("x-from"), fields.get("x-id"), fields.get("x-sha256"))
        if facts != (200, self.args.expect, request_id, digest):
            raise AnswerError(f"wrong answer {facts}")
        if body and not body.startswith(f"the response of {self.args.expect} is"[:len(body)].encode()):
            raise AnswerError("wrong answer body")

    def close_nicely(self):
        """Ends the connection in one of a client's usual ways: close, half-close first, or (--rude) a reset."""
        if not self.sock:
            return
        how = self.random.random()
        try:
            if self.args.rude and how < 0.3:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif how < 0.6:
                self.sock.shutdown(socket.SHUT_WR)
                self.sock.recv(1)
        except OSError:
            pass
        self.disconnect()


class Upload:
    """A request with a body of many equal blocks, hashed without holding it whole."""

    def __init__(self, request_id, head, block, times):
        self.id, self.head, self.block, self.times = request_id, head, block, times
        self.method = "POST"

    def record(self):
        digest = hashlib.sha256(self.head)
        for _ in range(self.times):
            digest.update(self.block)
        return (self.id, digest.hexdigest(), len(self.head) + len(self.block) * self.times)


class Share:
    """What is left to do, shared by the connections, and the pace."""

    def __init__(self, args):
        self.lock = threading.Lock()
        self.left = args.requests
        self.deadline = time.monotonic() + args.seconds if args.seconds else None
        self.interval = args.connections / args.rate if args.rate else 0
        self.slot = threading.local()

    def claim(self):
        """Takes one request of what is left; false when there is nothing left to do."""
        if self.deadline:
            return time.monotonic() < self.deadline
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def claim_more(self, extra):
        """A batch of several requests: takes the others too."""
        with self.lock:
            self.left -= extra

    def pace(self):
        if not self.interval:
            return
        due = getattr(self.slot, "due", time.monotonic()) + self.interval
        self.slot.due = due
        delay = due - time.monotonic()
        if delay > 0:
            STOP.wait(delay)


def quantile(values, q):
    return round(sorted(values)[min(len(values) - 1, int(q * len(values)))] * 1000, 3) if values else None


def summary(clients, seconds):
    latencies = [x for c in clients for x in c.latencies]
    total = {key: sum(getattr(c, key) for c in clients) for key in ("sent", "answered", "failed", "bytes")}
    return {**total, "connects": sum(len(c.records) for c in clients),
            "seconds": round(seconds, 3), "rate": round(total["answered"] / seconds, 1),
            "p50_ms": quantile(latencies, 0.5), "p99_ms": quantile(latencies, 0.99),
            "max_ms": quantile(latencies, 1.0), "errors": [e for c in clients for e in c.errors][:20]}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--expect", default="v1", help="name of the server that must answer")
    parser.add_argument("--any-server", action="store_true", help="the server is not a recorder: check the status only")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--rate", type=float, default=0, help="batches per second over all connections; 0: no limit")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--tag", default="r")
    parser.add_argument("--mix", help="kind=weight,... (default: all kinds)")
    parser.add_argument("--max-body", type=int, default=1024 * 1024)
    parser.add_argument("--upload", type=int, default=0, metavar="BYTES", help="send uploads of this size only")
    parser.add_argument("--reconnect", type=int, default=0, help="new connection after this many requests")
    parser.add_argument("--rude", action="store_true", help="end some idle connections by a reset")
    parser.add_argument("--timeout", type=float, default=30)
    parser.add_argument("--out", help="file for [[id, sha256, bytes], ...] by connection")
    return parser.parse_args()


def main():
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: STOP.set())
    sys.setswitchinterval(0.001)
    requests_plan.pool()
    share = Share(args)
    clients = [Client(i, args, share) for i in range(args.connections)]
    begin = time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        while client.is_alive():
            client.join(0.2)
    if args.out:
        with open(args.out, "w") as out:
            json.dump([records for c in clients for records in c.records], out)
    result = summary(clients, time.monotonic() - begin)
    print(json.dumps(result))
    sys.exit(0 if not result["failed"] and not result["errors"] else 1)


if __name__ == "__main__":
    main()
