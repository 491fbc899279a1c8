"""Loads by protocol for scripts/bench: the same client and server with and without a mirror, and what mirroring costs.

  http1   h2load over HTTP/1.1 keep-alive, POST 2 KB to nginx     http2  the same over HTTP/2, 10 streams at a time
  grpc    unary calls of 100 bytes, Python client and server      redis  SET of 100 bytes by redis-benchmark, pipelined
"""
import json
import re
import statistics
import time

from lab import HERE, PYTHON, wait_for
from scene import setup_agent
from servers import Nginx

PORT = 8080
PROTOCOLS = {"http1": "HTTP/1.1, POST 2 KB", "http2": "HTTP/2, POST 2 KB", "grpc": "gRPC unary, 100 bytes",
             "redis": "redis SET, pipelined"}
SETTINGS = ("none", "umbra")


class ProtocolScene:
    """Servers of a protocol as v1 and v2, and an agent if the setting says so."""

    def __init__(self, lab, setting, protocol, seconds):
        self.lab, self.protocol, self.seconds = lab, protocol, seconds
        for role in ("v1", "v2"):
            self.start_server(role)
        self.agent = setup_agent(lab).start() if setting == "umbra" else None

    def start_server(self, role):
        lab, address = self.lab, self.lab.addr(role)
        if self.protocol == "redis":
            lab.spawn(role, ["redis-server", "--bind", address, "--port", PORT, "--save", "", "--protected-mode", "no",
                             "--dir", lab.dir], role)
        elif self.protocol == "grpc":
            lab.spawn(role, [PYTHON, HERE / "grpc_peer.py", "serve", role, address, PORT, "/dev/null"], role)
            wait_for(lambda: "serving" in lab.log(role), 15, f"the gRPC server of {role}")
            return  # it listens by a mapped IPv6 address
        else:
            h2 = " http2" if self.protocol == "http2" else ""
            Nginx(lab, role, f"""    access_log off;
    server {{
        listen {address}:{PORT}{h2};
        location / {{ return 200 'ok'; }}
    }}""", name=role)
        lab.wait_port(role, address, PORT)

    def drive(self):
        """One run: (requests, seconds)."""
        address = self.lab.addr("v1")
        if self.protocol == "redis":
            count = 150_000 * self.seconds
            begin = time.monotonic()
            self.client("redis-benchmark", "-h", address, "-p", PORT, "-t", "set", "-c", 32, "-P", 8, "-d", 100,
                        "-r", 100000, "-n", count, "-q")
            return count, time.monotonic() - begin
        if self.protocol == "grpc":
            told = json.loads(self.client(PYTHON, HERE / "grpc_peer.py", "load", address, PORT, self.seconds))
            return told["calls"], told["seconds"]
        body = self.lab.dir / "body"
        body.write_bytes(b"umbra mirrors 2K" * 128)
        shape = ["--h1", "-c", 32] if self.protocol == "http1" else ["-c", 8, "-m", 10]
        text = self.client("h2load", *shape, "-D", self.seconds, "-d", body, f"http://{address}:{PORT}/post")
        return int(re.search(r"(\d+) succeeded", text).group(1)), float(self.seconds)

    def client(self, *argv):
        return self.lab.exec("client", argv, timeout=180).stdout

    def measure(self):
        cpu = self.agent.cpu_seconds() if self.agent else 0.0
        requests, seconds = self.drive()
        out = {"rate": requests / seconds, "requests": requests}
        if self.agent:
            row = self.agent.rule(self.agent.settled_ledger(timeout=40))
            spent = self.agent.cpu_seconds() - cpu
            # A raw stream has no requests: the share of its bytes stands for them.
            unit = "bytes" if self.protocol == "redis" else "requests"
            out["delivered"] = row["mirrored"][unit] / max(1, row["seen"][unit])
            out["dropped"] = {reason: d[unit] for reason, d in row["dropped"].items() if d[unit]}
            mirrored = requests * out["delivered"]
            if mirrored:
                out["cpu_per_million"] = spent * 1e6 / mirrored
        return out


def median(rounds, key):
    values = [r[key] for r in rounds if key in r]
    return statistics.median(values) if values else None


def table(results):
    rows = ["| protocol | no mirror | Umbra, 100 % | ratio | delivered to v2 | Umbra's CPU per million mirrored |",
            "|---|---|---|---|---|---|"]
    for protocol, settings in results.items():
        pairs = [umbra["rate"] / none["rate"] for none, umbra in zip(settings["none"], settings["umbra"])]
        cpu = median(settings["umbra"], "cpu_per_million")
        rows.append("| " + " | ".join([
            PROTOCOLS[protocol], f"{median(settings['none'], 'rate'):,.0f} req/s",
            f"{median(settings['umbra'], 'rate'):,.0f} req/s", f"{statistics.median(pairs):.2f}",
            f"{median(settings['umbra'], 'delivered'):.1%}", f"{cpu:,.1f} s" if cpu else "–"]) + " |")
    return "\n".join(rows)
