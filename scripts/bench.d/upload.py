#!/usr/bin/python3
"""Client that uploads bodies of SIZE bytes over keep-alive connections for some seconds and prints what v1 answered.
upload.py ADDRESS PORT --seconds S [--connections N] [--size BYTES] [--rate BYTES_PER_SECOND]
"""
import argparse
import json
import socket
import threading
import time

BLOCK = bytes(range(256)) * 4096


def upload(sock, args, share):
    """Sends one body, in blocks paced by the rate, and reads the answer."""
    sock.sendall(b"POST /upload HTTP/1.1\r\nHost: v1\r\nContent-Length: %d\r\n\r\n" % args.size)
    due = time.monotonic()
    for _ in range(args.size // len(BLOCK)):
        sock.sendall(BLOCK)
        if share:
            due += len(BLOCK) / share
            time.sleep(max(0.0, due - time.monotonic()))
    answer = b""
    while not answer.endswith(b"ok"):
        got = sock.recv(4096)
        if not got:
            raise ConnectionError("closed by the server")
        answer += got


def client(args, end, results):
    share = args.rate / args.connections
    try:
        with socket.create_connection((args.address, args.port), timeout=60) as sock:
            while time.monotonic() < end:
                upload(sock, args, share)
                results.append(args.size)
    except OSError as error:
        results.append(error)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--size", type=int, default=64 << 20)
    parser.add_argument("--rate", type=float, default=0)
    args = parser.parse_args()
    results, begin = [], time.monotonic()
    threads = [threading.Thread(target=client, args=(args, begin + args.seconds, results))
               for _ in range(args.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [r for r in results if isinstance(r, int)]
    print(json.dumps({"requests": len(done), "bytes": sum(done), "seconds": time.monotonic() - begin,
                      "errors": len(results) - len(done)}))


if __name__ == "__main__":
    main()
