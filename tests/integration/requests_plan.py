"""The requests that a driver sends: deterministic by (seed, connection), endless, hostile to bad splitters.

A Batch is written to the socket piece by piece (each piece one send) and answered in order. Bodies contain text that
looks like requests, runs of zeros and random bytes. Kinds: single, pipelined, split (the head in two segments, every
offset in turn), large, expect (100-continue).
"""
import dataclasses
import hashlib
import random

KIB = 1024
POOL = b""
FAKE = b"GET /evil HTTP/1.1\r\nHost: evil\r\nContent-Length: 7\r\n\r\n0\r\n\r\n"
WEIGHTS = {"single": 50, "pipelined": 8, "split": 34, "large": 6, "expect": 2}


def pool():
    global POOL
    if not POOL:
        noise = random.Random(1).randbytes(1200 * KIB)
        POOL = FAKE * 40 + noise + b"\0" * 300 * KIB + FAKE * 20 + noise[:200 * KIB] + FAKE * 2000 + noise
    return POOL


@dataclasses.dataclass
class Request:
    id: str
    head: bytes
    body: bytes
    method: str

    @property
    def raw(self):
        return self.head + self.body

    def record(self):
        digest = hashlib.sha256(self.head)
        digest.update(self.body)
        return (self.id, digest.hexdigest(), len(self.head) + len(self.body))


@dataclasses.dataclass
class Batch:
    kind: str
    requests: list
    pieces: list
    continue_after: int = -1  # pieces after this one wait for "100 Continue"


class Plan:
    def __init__(self, seed, tag, connection, host, weights=None, max_body=1024 * KIB):
        self.random = random.Random(f"{seed}/{connection}")
        self.tag = f"{tag}-{connection}"
        self.host = host
        self.max_body = max_body
        self.kinds = list((weights or WEIGHTS).keys())
        self.weights = list((weights or WEIGHTS).values())
        self.count = 0
        self.offset = self.random.randrange(400)

    def payload(self, size):
        if not size:
            return b""
        start = self.random.randrange(len(pool()) - size)
        return pool()[start:start + size]

    def chunked(self, data):
        """The chunked coding of data in pieces of random size, with extensions and trailers now and then."""
        out, at = [], 0
        while at < len(data):
            size = min(self.random.choice((1, 2, 17, 500, 1460, 4096, 70000)), len(data) - at)
            extension = b";x=y" if self.random.random() < 0.02 else b""
            out += [b"%x%s\r\n" % (size, extension), data[at:at + size], b"\r\n"]
            at += size
        trailer = b"X-Trailer: 1\r\n" if self.random.random() < 0.1 else b""
        return b"".join(out) + b"0\r\n" + trailer + b"\r\n"

    def request(self, size, extra=b""):
        pick = self.random.random()
        method = "POST" if size else self.random.choice(("GET", "GET", "GET", "HEAD", "DELETE", "POST"))
        if size and pick < 0.1:
            method = "PUT"
        framing, body = b"", b""
        if size and self.random.random() < 0.4 and not extra:
            framing, body = b"Transfer-Encoding: chunked\r\n", self.chunked(self.payload(size))
        elif size or method == "POST":
            framing, body = b"Content-Length: %d\r\n" % size, self.payload(size)
        name = f"{self.tag}-{self.count}"
        filler = b"X-Filler: %s\r\n" % (b"f" * self.random.randrange(120)) if pick < 0.3 else b""
        head = b"%s /%s?n=%d HTTP/1.1\r\nHost: %s\r\nX-Id: %s\r\n%s%s%s\r\n" % (
            method.encode(), self.random.choice((b"headers", b"post", b"a/b;c", b"%7Euser")), self.count,
            self.host.encode(), name.encode(), filler, framing, extra)
        self.count += 1
        return Request(name, head, body, method)

    def small_size(self):
        return self.random.choice((0, 0, 1, 5, 100, 1000, 2048, 4000))

    def next(self):
        kind = self.random.choices(self.kinds, self.weights)[0]
        return getattr(self, f"make_{kind}")()

    def make_single(self):
        request = self.request(self.small_size())
        return Batch("single", [request], [request.raw])

    def make_pipelined(self):
        depth = self.random.choice((2, 3, 10, 30, 100))
        requests = [self.request(self.random.choice((0, 0, 1, 60, 300))) for _ in range(depth)]
        data = b"".join(r.raw for r in requests)
        if self.random.random() < 0.5:
            return Batch("pipelined", requests, [data])
        cuts = sorted(self.random.randrange(1, len(data)) for _ in range(5))
        return Batch("pipelined", requests, [data[a:b] for a, b in zip([0] + cuts, cuts + [len(data)]) if a < b])

    def make_split(self):
        request = self.request(self.small_size())
        raw = request.raw
        self.offset = self.offset % (len(request.head) - 1) + 1
        return Batch("split", [request], [part for part in (raw[:self.offset], raw[self.offset:]) if part])

    def make_large(self):
        size = self.random.choice((16 * KIB, 64 * KIB, 200 * KIB, 1024 * KIB))
        request = self.request(min(size, self.max_body))
        return Batch("large", [request], [request.raw])

    def make_expect(self):
        request = self.request(self.random.choice((1, 3000, 20000)), b"Expect: 100-continue\r\n")
        return Batch("expect", [request], [request.head, request.body], continue_after=0)

    def make_poll(self):
        request = self.request(0)
        return Batch("single", [request], [request.raw])

    def make_post2k(self):
        request = self.request(2048)
        return Batch("single", [request], [request.raw])
