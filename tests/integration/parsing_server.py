#!/usr/bin/python3
"""HTTP/1 servers that disagree: parsing_server.py POLICY ADDRESS PORT RECORD
  strict      refuses whatever RFC 9112 lets it refuse, with 400 and a close
  chunks      takes anything; Transfer-Encoding beats Content-Length, the last length beats the first, sizes wrap
  lengths     takes anything; Content-Length beats Transfer-Encoding, the first length beats the last
Each request, accepted or refused, is answered and becomes a JSON line of RECORD: {"line", "refused", "body"}; each
connection's raw bytes become one at its end: {"raw": hex}.
"""
import asyncio
import json
import re
import sys

HEAD_END = re.compile(rb"\r?\n\r?\n")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e\x80-\xff]+ HTTP/1\.[01]")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[\t\x20-\x7e]{0,4000})?")


class Refused(Exception):
    pass


def strict_framing(lines):
    """Length or None for chunks, of a head's lines."""
    if not REQUEST_LINE.fullmatch(lines[0]):
        raise Refused("request line")
    fields = []
    for line in lines[1:]:
        found = FIELD.fullmatch(line)
        if not found:
            raise Refused("field")
        fields.append((found.group(1).lower(), found.group(2)))
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    hosts = [value for name, value in fields if name == b"host"]
    old = lines[0].endswith(b"1.0")
    if len(lengths) + len(codings) > 1 or (codings and (codings != [b"chunked"] or old)):
        raise Refused("framing")
    if lengths and not re.fullmatch(rb"[0-9]{1,15}", lengths[0]):
        raise Refused("length")
    if len(hosts) > 1 or not (hosts or old):
        raise Refused("host")
    return None if codings else int(lengths[0]) if lengths else 0


def strict_chunks(data):
    """Body and bytes used; None when more is needed."""
    body, at = b"", 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            if len(data) - at > 4096 or b"\n" in data[at:] or b"\r" in data[at:-1]:
                raise Refused("chunk size")
            return None
        found = CHUNK_LINE.fullmatch(data[at:end])
        if not found:
            raise Refused("chunk size")
        size, at = int(found.group(1), 16), end + 2
        if not size:
            break
        if len(data) < at + size + 2:
            return None
        if data[at + size:at + size + 2] != b"\r\n":
            raise Refused("chunk end")
        body, at = body + data[at:at + size], at + size + 2
    while (end := data.find(b"\r\n", at)) >= 0:
        if end == at:
            return body, at + 2
        if not FIELD.fullmatch(data[at:end]):
            raise Refused("trailer")
        at = end + 2
    return None


def strict(data):
    """First request of data: (line, body, bytes used); None when more is needed."""
    start = len(data) - len(data.lstrip(b"\r\n")) if data.startswith(b"\r\n") else 0
    end = data.find(b"\r\n\r\n", start)
    head = data[start:end if end >= 0 else len(data)]
    if b"\n" in head.replace(b"\r\n", b"") or re.search(rb"\r(?!\n)", head[:-1]) or len(head) > 16000:
        raise Refused("line ends")
    if end < 0:
        return None
    lines = head.split(b"\r\n")
    length = strict_framing(lines)
    rest = data[end + 4:]
    if length is None:
        found = strict_chunks(rest)
        return found and (lines[0], found[0], end + 4 + found[1])
    return (lines[0], rest[:length], end + 4 + length) if len(rest) >= length else None


def lenient_length(values):
    for value in values:
        found = re.search(rb"\d+", value)
        if found:
            return int(found.group()) & 0xffffffff
    return 0


def lenient_chunks(data):
    body, at = b"", 0
    while True:
        end = data.find(b"\n", at)
        if end < 0:
            return None
        digits = re.match(rb"[\s+-]*(?:0[xX])?([0-9A-Fa-f]*)", data[at:end]).group(1)
        size, at = int(digits or b"0", 16) & 0xffffffff, end + 1
        if not size:
            break
        if len(data) < at + size:
            return None
        body, at = body + data[at:at + size], at + size
        at += re.match(rb"\r?\n?", data[at:at + 2]).end()
    while (end := data.find(b"\n", at)) >= 0:
        if not data[at:end].strip():
            return body, end + 1
        at = end + 1
    return None


def lenient(data, chunks_win):
    start = len(data) - len(data.lstrip())
    found = HEAD_END.search(data, start)
    if not found:
        return None
    lines = re.split(rb"\r?\n|\r", data[start:found.start()])
    fields = []
    for line in lines[1:]:
        if line[:1] in b" \t" and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + line)
        name, _, value = line.partition(b":")
        fields.append((name.strip(b" \t\0").lower(), value))
    lengths = [value for name, value in fields if name == b"content-length"]
    chunked = any(b"chunked" in value.lower() for name, value in fields if name == b"transfer-encoding")
    rest = data[found.end():]
    if chunked and (chunks_win or not lengths):
        parts = lenient_chunks(rest)
        return parts and (lines[0], parts[0], found.end() + parts[1])
    length = lenient_length(reversed(lengths) if chunks_win else lengths)
    return (lines[0], rest[:length], found.end() + length) if len(rest) >= length else None


POLICIES = {"strict": strict, "chunks": lambda data: lenient(data, True), "lengths": lambda data: lenient(data, False)}


class Connection(asyncio.Protocol):
    def __init__(self, parse, record):
        self.parse, self.record = parse, record
        self.raw, self.data = bytearray(), b""

    def note(self, **fields):
        self.record.write(json.dumps(fields) + "\n")
        self.record.flush()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.raw += data
        self.data += data
        while self.data.strip() and not self.transport.is_closing():
            try:
                found = self.parse(self.data)
            except Refused as reason:
                self.note(line=self.data.lstrip()[:100].decode("latin-1"), refused=str(reason), body=0)
                self.transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                self.transport.close()
                return
            if not found:
                return
            line, body, used = found
            self.data = self.data[used:]
            self.note(line=line[:100].decode("latin-1"), refused=None, body=len(body))
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def connection_lost(self, _error):
        self.note(raw=bytes(self.raw).hex())


async def main(policy, address, port, path):
    with open(path, "w") as record:
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(POLICIES[policy], record), address, int(port), backlog=1024)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
