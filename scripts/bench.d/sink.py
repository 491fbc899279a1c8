#!/usr/bin/python3
"""Server that reads uploads as fast as the kernel hands them over and answers each when it is complete.
sink.py ADDRESS PORT. `GET /count` answers {"complete", "partial", "bytes"} of the uploads so far.
"""
import json
import re
import socket
import sys
import threading

LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.I)
LOCK = threading.Lock()
COUNT = {"complete": 0, "partial": 0, "bytes": 0}


def add(key, value=1):
    with LOCK:
        COUNT[key] += value


def serve(connection):
    view = memoryview(bytearray(4 << 20))
    held = b""
    while True:
        while b"\r\n\r\n" not in held:
            got = connection.recv(65536)
            if not got:
                return
            held += got
        head, _, held = held.partition(b"\r\n\r\n")
        found = LENGTH.search(b"\r\n" + head)
        size = int(found.group(1)) if found else 0
        left = size - len(held)
        held = b"" if left >= 0 else held[size:]
        while left > 0:
            got = connection.recv_into(view, min(left, len(view)))
            if not got:
                add("partial")
                return
            left -= got
        answer = b"ok"
        if head.startswith(b"GET /count"):
            answer = json.dumps(COUNT).encode()
        elif size:
            add("complete")
            add("bytes", size)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))


def guarded(connection):
    with connection:
        try:
            serve(connection)
        except OSError:
            add("partial")


def main():
    listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=256, reuse_port=False)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=guarded, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
