#!/usr/bin/python3
"""Sends each request of a JSON list [[name, hex], ...] on a connection of its own, an innocent GET /NAME-b right behind
it, then GET /NAME-c on a new connection. hostile_client.py ADDRESS PORT < LIST; prints {NAME: status of NAME-c}.
"""
import json
import re
import socket
import sys
import threading

PATIENCE = 0.5  # seconds: a server may wait for more of what it takes for a body


def talk(place, data, answers):
    """Sends and reads until so many final answers came, or none came for a while. Returns what came."""
    got = b""
    with socket.create_connection(place, timeout=10) as sock:
        sock.settimeout(PATIENCE)
        try:
            sock.sendall(data)
            while len(re.findall(rb"HTTP/1\.1 [2-5]", got)) < answers:
                more = sock.recv(65536)
                if not more:
                    break
                got += more
        except OSError:
            pass
    return got


def both(place, name, data, results):
    talk(place, data + b"GET /%s-b HTTP/1.1\r\nHost: v1\r\n\r\n" % name.encode(), 3)
    got = talk(place, b"GET /%s-c HTTP/1.1\r\nHost: v1\r\n\r\n" % name.encode(), 1)
    results[name] = int(got.split()[1]) if got else 0


def main():
    place, results = (sys.argv[1], int(sys.argv[2])), {}
    threads = [threading.Thread(target=both, args=(place, name, bytes.fromhex(data), results))
               for name, data in json.load(sys.stdin)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(results))


if __name__ == "__main__":
    main()
