"""Real servers and clients: Debian's httpbin under gunicorn (as in Istio's mirroring task), nginx, curl."""
import json
import pathlib
import re

from case import check
from lab import LabError, wait_for

DEMO = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "demo.d"
GUNICORN = "/usr/bin/gunicorn"
PORT = 8080
ACCESS_FORMAT = '%(h)s %(t)s "%(r)s" %(s)s %(b)s'


class AccessLog:
    """A server's access log: the lines that came since the last look."""

    def __init__(self, path):
        self.path = path
        self.seen = 0

    def lines(self):
        return self.path.read_text().splitlines() if self.path.exists() else []

    def fresh(self, count, timeout=5, settle=0.0):
        """New lines. Waits for count of them, then settle seconds for any that are too many."""
        try:
            wait_for(lambda: len(self.lines()) >= self.seen + count, timeout, f"{count} lines in {self.path.name}")
        except LabError:
            pass
        if settle:
            try:
                wait_for(lambda: len(self.lines()) > self.seen + count, settle, "further lines")
            except LabError:
                pass
        new = self.lines()[self.seen:]
        self.seen += len(new)
        return new


class Httpbin:
    """httpbin under gunicorn on a role's address; answers carry X-Served-By with the role's name."""

    def __init__(self, lab, role, port=PORT, workers=1):
        self.lab, self.role = lab, role
        self.log = AccessLog(lab.dir / f"{role}-access.log")
        address = lab.addr(role)
        self.child = lab.spawn(role, [
            GUNICORN, "--bind", f"{address}:{port}", "--worker-class", "gthread", "--threads", "4",
            "--workers", workers, "--keep-alive", "5", "--worker-tmp-dir", "/dev/shm", "--chdir", DEMO,
            "--access-logfile", self.log.path, "--access-logformat", ACCESS_FORMAT, "named_httpbin:app"],
            role, env={"SERVER_NAME": role, "PYTHONPATH": str(DEMO), "PYTHONDONTWRITEBYTECODE": "1"})
        self.port = port

    def wait(self):
        self.lab.wait_port(self.role, self.lab.addr(self.role), self.port, timeout=20)
        return self


class Nginx:
    """nginx on a role's address: answers with its own text, or proxies and mirrors (for comparison)."""

    def __init__(self, lab, role, server_block, name="nginx", workers=1):
        folder = lab.dir / name
        folder.mkdir()
        self.log = AccessLog(folder / "access.log")
        config = folder / "nginx.conf"
        config.write_text(f"""user root;
worker_processes {workers};
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    keepalive_requests 100000000;
{server_block}
}}
""")
        lab.exec(role, ["nginx", "-t", "-q", "-c", config, "-e", folder / "error.log"])
        self.child = lab.spawn(role, ["nginx", "-c", config, "-e", folder / "error.log"], name)


def curl(lab, *args, role="client"):
    """One curl run; returns (status, headers, body) of its last answer."""
    text = lab.exec(role, ["curl", "-sS", "--max-time", "10", "-D", "-", *args]).stdout.replace("\r\n", "\n")
    start = [found.start() for found in re.finditer(r"^HTTP/1\.[01] \d", text, re.M)][-1]
    head, _, body = text[start:].partition("\n\n")
    fields = {name.lower(): value for name, value in re.findall(r"^([^:\n]+): *(.*)$", head, re.M)}
    return int(head.split()[1]), fields, body


def check_json(body):
    try:
        return json.loads(body)
    except ValueError:
        check(False, f"not JSON: {body[:200]}")
