"""Plays hand-made TCP segments to a real server socket and says what the socket read: a client that overlaps and
contradicts itself as no kernel would. Packets are written through one AF_PACKET socket of the client's namespace.
"""
import contextlib
import ctypes
import select
import socket
import struct
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ISN = 0x1000_0000



@contextlib.contextmanager
def in_namespace(name):
    """This thread's sockets are made there; it comes back afterwards."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{name}") as there:
        if LIBC.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")
        try:
            yield
        finally:
            LIBC.setns(home.fileno(), CLONE_NEWNET)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(memoryview(data).cast("H"))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack("=H", ~total & 0xffff)


class Player:
    """client: a namespace with eth0; the source address is one that no kernel answers for."""

    def __init__(self, lab, server_role, server, source, port=8080):
        self.server, self.source, self.port = server, source, port
        with in_namespace(lab.ns("client")):
            self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
            self.raw.bind(("eth0", 0x0800))
            own = self.raw.getsockname()[4]
        gateway = lab.exec("node", ["cat", f"/sys/class/net/{lab.dev('client')}/address"]).stdout.strip()
        self.link = bytes.fromhex(gateway.replace(":", "")) + own + b"\x08\x00"
        lab.ip("node", "neigh", "replace", source, "lladdr", own.hex(":"), "dev", lab.dev("client"), "nud", "permanent")
        with in_namespace(lab.ns(server_role)):
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self.listener.bind((server, port))
            self.listener.listen(64)
            self.listener.settimeout(5)

    def close(self):
        self.raw.close()
        self.listener.close()

    def send(self, client_port, offset, ack, flags, payload=b""):
        """offset: of the first byte, from ISN + 1 on."""
        addresses = socket.inet_aton(self.source) + socket.inet_aton(self.server)
        seq = (ISN + 1 + offset) & 0xffffffff
        tcp = struct.pack("!HHIIBBHHH", client_port, self.port, seq, ack, 5 << 4, flags, 64000, 0, 0)
        pseudo = addresses + struct.pack("!HH", 6, len(tcp) + len(payload))
        tcp = tcp[:16] + checksum(pseudo + tcp + payload) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp) + len(payload), 0, 0x4000, 64, 6, 0) + addresses
        ip = ip[:10] + checksum(ip) + ip[12:]
        self.raw.send(self.link + ip + tcp + payload)

    def await_syn_ack(self, client_port):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if not select.select([self.raw], [], [], 1)[0]:
                continue
            packet = self.raw.recv(2048)
            source, destination, seq = struct.unpack_from("!HHI", packet, 34)
            if packet[23] == 6 and (source, destination) == (self.port, client_port) and packet[47] == SYN | ACK:
                return (seq + 1) & 0xffffffff
        raise TimeoutError(f"no SYN-ACK for port {client_port}")

    def drain(self):
        """Forgets the server's ACKs of earlier scripts."""
        with contextlib.suppress(BlockingIOError):
            while self.raw.recv(2048, socket.MSG_DONTWAIT):
                pass

    def play(self, client_port, script, unit=1, preamble=b""):
        """script: [[offset, letters], ...] in the order of arrival, each letter standing for `unit` bytes, without a
        hole in the end. Returns what the server's socket read, after a preamble that it read before."""
        self.drain()
        self.send(client_port, -1, 0, SYN)
        ack = self.await_syn_ack(client_port)
        self.send(client_port, 0, ack, ACK)
        connection, _ = self.listener.accept()
        with connection:
            if preamble:
                self.send(client_port, 0, ack, ACK | PSH, preamble)
                read(connection, len(preamble))
            for offset, letters in script:
                payload = b"".join(letter.encode() * unit for letter in letters)
                self.send(client_port, len(preamble) + offset * unit, ack, ACK | PSH, payload)
            total = max(offset + len(letters) for offset, letters in script) * unit
            data = read(connection, total)
            self.send(client_port, len(preamble) + total, ack, RST)
            with contextlib.suppress(ConnectionResetError):
                connection.settimeout(5)
                connection.recv(1)
        return data


def read(connection, total, patience=2):
    """Everything that comes until `total` bytes are there; less if the rest stays away."""
    connection.settimeout(patience)
    data = b""
    with contextlib.suppress(TimeoutError):
        while len(data) < total and (piece := connection.recv(total - len(data))):
            data += piece
    return data


def tcp_ext(namespace):
    """The TcpExt counters of a namespace."""
    with in_namespace(namespace), open("/proc/thread-self/net/netstat") as file:
        lines = [line.split() for line in file if line.startswith("TcpExt:")]
    return dict(zip(lines[0][1:], map(int, lines[1][1:])))


def held_tap(lab, role, device, frames=20000):
    """A socket that gets a clone of each packet of a device and reads none: what a mirror must not be like."""
    with in_namespace(lab.ns(role)):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        tap.setsockopt(socket.SOL_SOCKET, 33, frames * 4096)  # SO_RCVBUFFORCE
        tap.bind((device, 0x0003))
        return tap
