#!/usr/bin/python3
"""Writes what passes a device into a pcap file until SIGTERM; says "lost N" at the end. sniffer.py DEVICE FILE

Packets are as the kernel has them: super-segments whole, checksums possibly unfinished.
"""
import signal
import socket
import struct
import sys
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33


def main():
    device, path = sys.argv[1:]
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    tap.bind((device, 0))
    tap.settimeout(0.1)
    over = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        out.flush()
        print("ready", flush=True)
        while True:
            try:
                data = tap.recv(262144)
            except socket.timeout:
                if over:
                    break
                continue
            now = time.time_ns()
            out.write(struct.pack("<IIII", now // 10**9, now % 10**9, len(data), len(data)) + data)
    lost = struct.unpack("II", tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
    print(f"lost {lost}", flush=True)


if __name__ == "__main__":
    main()
