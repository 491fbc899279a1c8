#!/usr/bin/python3
"""gRPC peers on python3-grpcio, with bytes for messages. Print JSON lines.

grpc_peer.py serve NAME ADDRESS PORT RECORD: serves /lab.Echo/{Unary,ClientStream,ServerStream,Bidi,Slow}; each call
becomes a JSON line of RECORD: {"method", "id", "metadata", "messages": [number, bytes, sha256 of all, each behind its
length], "end": ok | cancelled}; each message of Bidi, when it comes, {"live": id, "number"}.
grpc_peer.py call ADDRESS PORT CALLS: makes that many rounds of all kinds of calls, with metadata, deadlines and
cancellations; prints {"calls": N, "cancelled": N}. A wrong answer ends it.
grpc_peer.py load ADDRESS PORT SECONDS: unary calls of 100 bytes, 16 at a time; prints {"calls": N, "seconds": S}.
grpc_peer.py hold ADDRESS PORT: reads lines from stdin and sends each as a message of one Bidi call; prints each answer.
"""
import concurrent.futures
import hashlib
import json
import random
import sys
import threading
import time

import grpc

LOCK = threading.Lock()
LARGE = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class Service(grpc.GenericRpcHandler):
    def __init__(self, name, record):
        self.name, self.record = name, record

    def note(self, **fields):
        with LOCK:
            self.record.write(json.dumps(fields) + "\n")
            self.record.flush()

    def service(self, details):
        kind = details.method.rsplit("/", 1)[1]
        make = {"Unary": grpc.unary_unary_rpc_method_handler, "ClientStream": grpc.stream_unary_rpc_method_handler,
                "ServerStream": grpc.unary_stream_rpc_method_handler, "Bidi": grpc.stream_stream_rpc_method_handler,
                "Slow": grpc.unary_unary_rpc_method_handler}[kind]
        streamed = kind in ("ClientStream", "Bidi")

        def call(first, context):
            metadata = sorted([k, v if isinstance(v, str) else v.hex()] for k, v in context.invocation_metadata())
            one = {"method": details.method, "id": dict(metadata).get("x-id", ""), "metadata": metadata}
            return self.answer(kind, first if streamed else iter([first]), context, one)

        def single(first, context):
            return list(call(first, context))[-1]
        return make(call if kind in ("ServerStream", "Bidi") else single)

    def answer(self, kind, messages, context, one):
        digest, count, size, end = hashlib.sha256(), 0, 0, "ok"
        try:
            for message in messages:
                count, size = count + 1, size + len(message)
                digest.update(b"%d:" % len(message) + message)
                if kind == "Bidi":
                    self.note(live=one["id"], number=count)
                    yield message
            if kind == "Slow":
                while context.is_active():
                    time.sleep(0.02)
        except Exception:  # the iterator of a cancelled call raises a bare one
            end = "cancelled"
        if not context.is_active():
            end = "cancelled"
        self.note(**one, messages=[count, size, digest.hexdigest()], end=end)
        if kind == "ServerStream":
            for part in range(10):
                yield b"%d of 10" % part
        elif kind != "Bidi":
            yield digest.digest()


def serve(name, address, port, path):
    pool = concurrent.futures.ThreadPoolExecutor(64)
    with open(path, "w") as record:
        server = grpc.server(pool, handlers=[Service(name, record)], options=LARGE)
        assert server.add_insecure_port(f"{address}:{port}"), "no port"
        server.start()
        print("serving", flush=True)
        server.wait_for_termination()


class Caller:
    def __init__(self, address, port):
        self.channel = grpc.insecure_channel(f"{address}:{port}", options=LARGE)
        self.rand = random.Random("grpc")
        self.number = self.cancelled = 0

    def metadata(self):
        self.number += 1
        return [("x-id", f"call-{self.number}"), ("x-trace-bin", self.rand.randbytes(20)), ("x-text", "plain, text")]

    def method(self, kind):
        make = {"Unary": "unary_unary", "ClientStream": "stream_unary", "ServerStream": "unary_stream",
                "Bidi": "stream_stream", "Slow": "unary_unary"}[kind]
        return getattr(self.channel, make)(f"/lab.Echo/{kind}")

    def messages(self, count, most):
        return [self.rand.randbytes(self.rand.randrange(most)) for _ in range(count)]

    def sum(self, messages):
        return hashlib.sha256(b"".join(b"%d:" % len(m) + m for m in messages)).digest()

    def round(self, large):
        for size in (0, 1, 1000, large):
            message = self.rand.randbytes(size)
            answer = self.method("Unary")(message, metadata=self.metadata(), timeout=20)
            assert answer == self.sum([message]), "Unary"
        parts = self.messages(30, 20000)
        answer = self.method("ClientStream")(iter(parts), metadata=self.metadata(), timeout=20)
        assert answer == self.sum(parts), "ClientStream"
        got = list(self.method("ServerStream")(b"go", metadata=self.metadata(), timeout=20))
        assert len(got) == 10, "ServerStream"
        parts = self.messages(30, 20000)
        assert list(self.method("Bidi")(iter(parts), metadata=self.metadata(), timeout=20)) == parts, "Bidi"
        futures = [self.method("Unary").future(b"%d" % i, metadata=self.metadata(), timeout=20) for i in range(20)]
        assert [f.result() for f in futures] == [self.sum([b"%d" % i]) for i in range(20)], "side by side"

    def give_up(self):
        """A deadline that passes and a call that is cancelled."""
        try:
            self.method("Slow")(b"deadline", metadata=self.metadata(), timeout=0.3)
            raise AssertionError("no deadline")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
        future = self.method("Slow").future(b"cancel", metadata=self.metadata())
        time.sleep(0.2)
        assert future.cancel()
        self.cancelled += 2


def call(address, port, rounds):
    caller = Caller(address, port)
    for turn in range(int(rounds)):
        caller.round(3_000_000 if turn == 0 else 70_000)
    caller.give_up()
    time.sleep(0.2)
    caller.channel.close()
    print(json.dumps({"calls": caller.number, "cancelled": caller.cancelled}))


def load(address, port, seconds):
    caller, begin = Caller(address, port), time.monotonic()
    unary, message, window, calls = caller.method("Unary"), b"m" * 100, [], 0
    while time.monotonic() < begin + float(seconds):
        window.append(unary.future(message))
        if len(window) == 16:
            assert window.pop(0).result(), "no answer"
            calls += 1
    calls += len([future.result() for future in window])
    print(json.dumps({"calls": calls, "seconds": time.monotonic() - begin}))


def hold(address, port):
    caller = Caller(address, port)
    answers = caller.method("Bidi")(iter(lambda: sys.stdin.buffer.readline(), b""), metadata=[("x-id", "held")])
    for answer in answers:
        print(json.dumps({"answer": answer.decode()}), flush=True)
    caller.channel.close()


if __name__ == "__main__":
    {"serve": serve, "call": call, "load": load, "hold": hold}[sys.argv[1]](*sys.argv[2:])
