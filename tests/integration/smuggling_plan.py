"""Requests that two servers may read differently. rows() gives [(name, bytes)]; NAME-a marks the request itself and
NAME-evil the one hidden in it, so that a server's record shows whose bytes it holds.
"""

CRLF = b"\r\n"


def evil(name):
    return b"GET /%s-evil HTTP/1.1\r\nHost: v1\r\n\r\n" % name


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def post(name, fields, body, line=b"POST /%s-a HTTP/1.1"):
    return line % name + CRLF + b"Host: v1\r\n" + b"".join(f + CRLF for f in fields) + CRLF + body


def two_framings(n):
    """Content-Length and Transfer-Encoding in one request; lengths that disagree."""
    hidden = b"0\r\n\r\n" + evil(n)
    whole = chunk(b"x" * 10) + b"0\r\n\r\n"
    length, chunked = b"Content-Length: %d", b"Transfer-Encoding: chunked"
    return {
        "length then chunked": post(n, [length % len(hidden), chunked], hidden),
        "chunked then length": post(n, [chunked, length % len(hidden)], hidden),
        "chunked and a short length": post(n, [length % 4, chunked], chunk(evil(n)) + b"0\r\n\r\n"),
        "chunked and an agreeing length": post(n, [length % len(whole), chunked], whole),
        "chunked and length zero": post(n, [length % 0, chunked], whole),
        "length twice, differing": post(n, [length % 5, length % (5 + len(evil(n)))], b"12345" + evil(n)),
        "length twice, differing, reversed": post(n, [length % (5 + len(evil(n))), length % 5], b"12345" + evil(n)),
        "length twice, equal": post(n, [length % 5, length % 5], b"12345"),
        "length as a list, equal": post(n, [b"Content-Length: 5, 5"], b"12345"),
        "length as a list, differing": post(n, [b"Content-Length: 5, %d" % (5 + len(evil(n)))], b"12345" + evil(n)),
        "chunked twice": post(n, [chunked, chunked], whole),
        "chunked and identity, two fields": post(n, [chunked, b"Transfer-Encoding: identity"], whole),
        "chunked in HTTP/1.0": post(n, [chunked], hidden, b"POST /%s-a HTTP/1.0"),
        "both in HTTP/1.0": post(n, [length % len(hidden), chunked], hidden, b"POST /%s-a HTTP/1.0"),
    }


def codings(n):
    """Spellings of Transfer-Encoding that one server knows and another ignores; a length stands by to be believed."""
    whole = chunk(evil(n)) + b"0\r\n\r\n"
    values = {
        "chunked, identity": b"Transfer-Encoding: chunked, identity", "identity": b"Transfer-Encoding: identity",
        "gzip, chunked": b"Transfer-Encoding: gzip, chunked", "gzip": b"Transfer-Encoding: gzip",
        "chunked, chunked": b"Transfer-Encoding: chunked, chunked", "upper case": b"Transfer-Encoding: CHUNKED",
        "mixed case": b"TRANSFER-encoding: ChUnKeD", "a tab before": b"Transfer-Encoding:\tchunked",
        "a tab after": b"Transfer-Encoding: chunked\t", "spaces around": b"Transfer-Encoding:   chunked   ",
        "no space": b"Transfer-Encoding:chunked", "quoted": b'Transfer-Encoding: "chunked"',
        "a vertical tab": b"Transfer-Encoding: \x0bchunked", "a form feed": b"Transfer-Encoding: chunked\x0c",
        "xchunked": b"Transfer-Encoding: xchunked", "chunkedx": b"Transfer-Encoding: chunkedx",
        "a parameter": b"Transfer-Encoding: chunked;q=1", "a leading comma": b"Transfer-Encoding: ,chunked",
        "a trailing comma": b"Transfer-Encoding: chunked,", "empty": b"Transfer-Encoding:",
        "a folded value": b"Transfer-Encoding:\r\n chunked", "folded by a tab": b"Transfer-Encoding:\r\n\tchunked",
        "folded behind": b"Transfer-Encoding: chunked\r\n , identity", "space before the colon":
        b"Transfer-Encoding : chunked", "tab before the colon": b"Transfer-Encoding\t: chunked",
        "space before the name": b"X: y\r\n Transfer-Encoding: chunked", "underscore": b"Transfer_Encoding: chunked",
        "NUL in the value": b"Transfer-Encoding: chunked\0", "NUL in the name": b"Transfer-Encoding\0: chunked",
        "bare CR before": b"X: y\rTransfer-Encoding: chunked", "bare LF before": b"X: y\nTransfer-Encoding: chunked",
        "high byte": b"Transfer-Encoding: \xa0chunked", "bare CR in the value": b"Transfer-Encoding: chunked\rx",
    }
    out = {}
    for spelling, field in values.items():
        out[f"coding, {spelling}"] = post(n, [field], whole)
        if spelling in ("xchunked", "underscore", "identity", "a folded value", "space before the colon", "empty"):
            out[f"coding, {spelling}, with a length"] = post(n, [field, b"Content-Length: %d" % len(whole)], whole)
    return out


def lengths(n):
    """Values of Content-Length."""
    values = {"negative": b"-5", "plus": b"+5", "space inside": b"5 5", "hexadecimal": b"0x5", "leading zeros": b"0005",
              "decimal point": b"5.0", "exponent": b"5e0", "above 64 bits": b"18446744073709551621",
              "above 63 bits": b"9223372036854775813", "empty": b"", "letters": b"five", "trailing letter": b"5x",
              "trailing comma": b"5,", "underscore": b"1_0", "NUL": b"5\0", "bare CR": b"5\r", "tab": b"\t5\t",
              "vertical tab": b"\x0b5", "folded": b"\r\n 5", "quoted": b'"5"', "high digit": b"\xb2"}
    out = {f"length, {what}": post(n, [b"Content-Length: " + value], b"12345") for what, value in values.items()}
    out["length, space before the colon"] = post(n, [b"Content-Length : %d" % len(evil(n))], evil(n))
    out["length, bare LF before"] = post(n, [b"X: y\nContent-Length: %d" % len(evil(n))], evil(n))
    out["length, bare CR before"] = post(n, [b"X: y\rContent-Length: %d" % len(evil(n))], evil(n))
    out["GET with a length"] = post(n, [b"Content-Length: %d" % len(evil(n))], evil(n), b"GET /%s-a HTTP/1.1")
    return out


def chunks(n):
    """Chunk sizes, extensions, ends."""
    bodies = {
        "a size above 64 bits": b"10000000000000005\r\n12345\r\n0\r\n\r\n",
        "a size above 32 bits": b"100000005\r\n12345\r\n0\r\n\r\n",
        "a negative size": b"-5\r\n12345\r\n0\r\n\r\n", "a size with plus": b"+5\r\n12345\r\n0\r\n\r\n",
        "a size with 0x": b"0x5\r\n12345\r\n0\r\n\r\n", "no size": b"\r\n12345\r\n0\r\n\r\n",
        "a space before the size": b" 5\r\n12345\r\n0\r\n\r\n", "a space behind the size": b"5 \r\n12345\r\n0\r\n\r\n",
        "leading zeros": b"000000000000000000005\r\n12345\r\n0\r\n\r\n", "letters": b"five\r\n12345\r\n0\r\n\r\n",
        "size ended by bare LF": b"5\n12345\r\n0\r\n\r\n", "size ended by bare CR": b"5\r12345\r\n0\r\n\r\n",
        "data ended by bare LF": b"5\r\n12345\n0\r\n\r\n", "data not ended": b"5\r\n123450\r\n\r\n",
        "data longer than its size": b"5\r\n1234567\r\n0\r\n\r\n",
        "last chunk of many zeros": b"5\r\n12345\r\n0000\r\n\r\n",
        "end by bare LF": b"5\r\n12345\r\n0\n\n", "an extension": b"5;a=b\r\n12345\r\n0\r\n\r\n",
        "an extension with bare LF": b"5;a\nb\r\n12345\r\n0\r\n\r\n",
        "an extension with bare CR": b"5;a\rb\r\n12345\r\n0\r\n\r\n",
        "an extension with NUL": b"5;a\0b\r\n12345\r\n0\r\n\r\n",
        "a quoted extension with CRLF": b'5;a="\r\n12345\r\n0\r\n\r\n"\r\n12345\r\n0\r\n\r\n',
        "an extension of 20 KB": b"5;" + b"e" * 20000 + b"\r\n12345\r\n0\r\n\r\n",
        "a trailer with a length": b"5\r\n12345\r\n0\r\nContent-Length: 50\r\n\r\n",
        "a trailer with a coding": b"5\r\n12345\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "a folded trailer": b"5\r\n12345\r\n0\r\nX: a\r\n b\r\n\r\n",
        "a trailer with bare LF": b"5\r\n12345\r\n0\r\nX: a\n\r\n",
        "a broken trailer": b"5\r\n12345\r\n0\r\nnot a field\r\n\r\n",
    }
    return {f"chunk, {what}": post(n, [b"Transfer-Encoding: chunked"], body) for what, body in bodies.items()}


def heads(n):
    """Request lines and fields outside of framing."""
    def get(line, fields=b"Host: v1\r\n"):
        return line % n + CRLF + fields + CRLF
    plain = b"GET /%s-a HTTP/1.1"
    return {
        "head, bare LF everywhere": (plain % n + b"\nHost: v1\n\n"),
        "head, LF CR LF": plain % n + b"\nHost: v1\n\r\n",
        "head, bare CR everywhere": plain % n + b"\rHost: v1\r\r",
        "head, CR CR LF": plain % n + b"\r\r\nHost: v1\r\r\n\r\r\n",
        "head, a folded field": get(plain, b"Host: v1\r\nX: a\r\n b\r\n"),
        "head, NUL in a value": get(plain, b"Host: v1\r\nX: a\0b\r\n"),
        "head, NUL in the target": get(b"GET /%s-a\0b HTTP/1.1"),
        "head, bare CR in a value": get(plain, b"Host: v1\r\nX: a\rb\r\n"),
        "head, space before a colon": get(plain, b"Host: v1\r\nX : a\r\n"),
        "head, no colon": get(plain, b"Host: v1\r\nX\r\n"),
        "head, empty name": get(plain, b"Host: v1\r\n: a\r\n"),
        "head, a space first": get(plain, b" Host: v1\r\n"),
        "head, two Hosts": get(plain, b"Host: v1\r\nHost: other\r\n"),
        "head, no Host": get(plain, b""),
        "head, absolute form, another Host": get(b"GET http://other/%s-a HTTP/1.1"),
        "head, two spaces": get(b"GET  /%s-a HTTP/1.1"),
        "head, a tab for a space": get(b"GET\t/%s-a HTTP/1.1"),
        "head, a space behind": get(b"GET /%s-a HTTP/1.1 "),
        "head, a space in the target": get(b"GET /%s-a b HTTP/1.1"),
        "head, lower-case version": get(b"GET /%s-a http/1.1"),
        "head, HTTP/1.2": get(b"GET /%s-a HTTP/1.2"),
        "head, HTTP/2.0": get(b"GET /%s-a HTTP/2.0"),
        "head, HTTP/0.9": b"GET /%s-a\r\n" % n,
        "head, empty lines first": b"\r\n\r\n" + get(plain),
        "head, bare LF first": b"\n" + get(plain),
        "head, lower-case method": get(b"get /%s-a HTTP/1.1"),
        "head, an unknown method": get(b"FROB /%s-a HTTP/1.1"),
        "head, a comma in the version": get(b"GET /%s-a HTTP/1,1"),
        "head, 20 KB of target": get(b"GET /%s-a" + b"x" * 20000 + b" HTTP/1.1"),
        "head, a high byte in a name": get(plain, b"Host: v1\r\nX\xff: a\r\n"),
        "head, DEL in a value": get(plain, b"Host: v1\r\nX: \x7f\r\n"),
        "upgrade with a body": post(n, [b"Connection: Upgrade", b"Upgrade: x", b"Content-Length: %d" % len(evil(n))],
                                    evil(n)),
        "CONNECT with a length": post(n, [b"Content-Length: %d" % len(evil(n))], evil(n),
                                      b"CONNECT %s-a:80 HTTP/1.1"),
        "Expect and chunked and length": post(n, [b"Expect: 100-continue", b"Content-Length: 3",
                                                  b"Transfer-Encoding: chunked"], chunk(b"abc") + b"0\r\n\r\n"),
        "HTTP/1.0 keep-alive without length": post(n, [b"Connection: keep-alive"], evil(n), b"POST /%s-a HTTP/1.0"),
    }


def rows():
    """Each row once, with a name of its own in its bytes: [(title, name, bytes)]."""
    titles = [title for part in PARTS for title in part(b"x")]
    named = {title: f"r{index:03}".encode() for index, title in enumerate(titles)}
    return [(title, named[title].decode(), part(named[title])[title]) for part in PARTS for title in part(b"x")]


PARTS = (two_framings, codings, lengths, chunks, heads)
