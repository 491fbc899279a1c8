"""A Kubernetes API server of our own: etcd and kube-apiserver on loopback, in a temporary folder that goes with them.

RBAC is on, ServiceAccount tokens are signed and checked, certificates come from openssl. There is no controller, no
scheduler and no kubelet: what exists is what a test wrote. Needs a folder with kube-apiserver and etcd, as
scripts/build-kube-apiserver makes it; works with every release since 1.20.
"""
import base64
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from lab import LabError, die_with_parent, run, wait_for

ADMIN_TOKEN = "umbra-test-admin"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Authority:
    """A certificate authority and what it signed, in a folder."""

    def __init__(self, folder, name="umbra-test"):
        self.folder = pathlib.Path(folder)
        self.key, self.cert = self.folder / f"{name}-ca.key", self.folder / f"{name}-ca.crt"
        self._key(self.key)
        run(["openssl", "req", "-x509", "-new", "-key", self.key, "-subj", f"/CN={name}", "-days", "2",
             "-out", self.cert])

    @staticmethod
    def _key(path):
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path])

    def issue(self, name, subject, usage="serverAuth"):
        """Returns (certificate, key) files."""
        key, request, cert = (self.folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n"
                              f"extendedKeyUsage={usage}\n")
        self._key(key)
        run(["openssl", "req", "-new", "-key", key, "-subj", subject, "-out", request])
        run(["openssl", "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
             "-days", "2", "-extfile", extensions, "-out", cert])
        return cert, key


class ApiServer:
    def __init__(self, assets):
        self.assets = pathlib.Path(assets)
        self.dir = None
        self.etcd = self.server = None
        self.port, self.etcd_port = free_port(), free_port()
        self.extra = []

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"umbra-kube-{os.getpid()}-"))
        try:
            self._make_credentials()
            self.start_etcd()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for child in (self.server, self.etcd):
            if child and child.poll() is None:
                child.kill()
            if child:
                child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _make_credentials(self):
        self.authority = Authority(self.dir)
        self.cert, self.key = self.authority.issue("server", "/CN=kube-apiserver")
        self.admin_cert, self.admin_key = self.authority.issue("admin", "/O=system:masters/CN=umbra-admin", "clientAuth")
        self.sa_key, self.sa_public = self.dir / "sa.key", self.dir / "sa.pub"
        run(["openssl", "genrsa", "-out", self.sa_key, "2048"])
        run(["openssl", "rsa", "-in", self.sa_key, "-pubout", "-out", self.sa_public])
        self.tokens = self.dir / "tokens.csv"
        self.tokens.write_text(f'{ADMIN_TOKEN},umbra-admin,1,"system:masters"\n')

    # --- processes -----------------------------------------------------------------------------------------------

    def _spawn(self, argv, name):
        with open(self.dir / f"{name}.log", "ab", buffering=0) as log:
            return subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    cwd=self.dir, preexec_fn=die_with_parent)

    def log(self, name="kube-apiserver"):
        path = self.dir / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start_etcd(self):
        peer = f"http://127.0.0.1:{free_port()}"
        client = f"http://127.0.0.1:{self.etcd_port}"
        self.etcd = self._spawn([self.assets / "etcd", "--data-dir", self.dir / "etcd", "--listen-client-urls", client,
                                 "--advertise-client-urls", client, "--listen-peer-urls", peer,
                                 "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
                                 "--unsafe-no-fsync", "--quota-backend-bytes", 1 << 31], "etcd")
        wait_for(lambda: self._etcd_answers(), 20, "an answer of etcd")

    def _etcd_answers(self):
        if self.etcd.poll() is not None:
            raise LabError(f"etcd ended with {self.etcd.returncode}:\n{self.log('etcd')[-2000:]}")
        try:
            return self.etcd_call("/v3/maintenance/status", {})
        except OSError:
            return None

    def version(self):
        """(major, minor) of the binary."""
        text = run([self.assets / "kube-apiserver", "--version"]).stdout
        return tuple(int(n) for n in re.search(r"v(\d+)\.(\d+)", text).groups())

    def flags(self):
        flags = {"etcd-servers": f"http://127.0.0.1:{self.etcd_port}", "etcd-compaction-interval": "0",
                 "bind-address": "127.0.0.1", "secure-port": self.port, "advertise-address": "192.0.2.1",
                 "endpoint-reconciler-type": "none", "tls-cert-file": self.cert, "tls-private-key-file": self.key,
                 "client-ca-file": self.authority.cert, "token-auth-file": self.tokens,
                 "service-account-issuer": "https://kubernetes.default.svc", "service-account-key-file": self.sa_public,
                 "service-account-signing-key-file": self.sa_key, "api-audiences": "https://kubernetes.default.svc",
                 "service-cluster-ip-range": "10.96.0.0/16", "authorization-mode": "Node,RBAC",
                 "allow-privileged": "true", "disable-admission-plugins": "ServiceAccount", "profiling": "false",
                 "max-requests-inflight": 1000, "max-mutating-requests-inflight": 1000}
        if self.version() < (1, 24):
            flags["insecure-port"] = 0
        return [f"--{name}={value}" for name, value in flags.items()] + self.extra

    def start(self, timeout=60):
        self.server = self._spawn([self.assets / "kube-apiserver", *self.flags()], "kube-apiserver")
        wait_for(self._is_ready, timeout, "a ready API server", step=0.1)

    def _is_ready(self):
        if self.server.poll() is not None:
            raise LabError(f"kube-apiserver ended with {self.server.returncode}:\n{self.log()[-3000:]}")
        import ssl  # the server's own certificate is not the point here
        try:
            link = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=2,
                                               context=ssl._create_unverified_context())
            link.request("GET", "/readyz", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
            return link.getresponse().status == 200
        except OSError:
            return False
        except http.client.HTTPException:
            return False

    def stop(self, sig=signal.SIGKILL):
        if self.server.poll() is None:
            self.server.send_signal(sig)
        self.server.wait(70)

    def restart(self, sig=signal.SIGKILL, pause=0.0):
        self.stop(sig)
        time.sleep(pause)
        self.start()

    # --- etcd ----------------------------------------------------------------------------------------------------

    def etcd_call(self, path, body):
        link = http.client.HTTPConnection("127.0.0.1", self.etcd_port, timeout=10)
        try:
            link.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = link.getresponse()
            text = answer.read()
        finally:
            link.close()
        if answer.status != 200:
            raise LabError(f"etcd {path}: {answer.status} {text[:300]}")
        return json.loads(text)

    def compact(self):
        """Throws away etcd's history up to now: a watch from an older version is answered with 410."""
        revision = self.etcd_call("/v3/kv/range", {"key": base64.b64encode(b"x").decode()})["header"]["revision"]
        self.etcd_call("/v3/kv/compaction", {"revision": revision, "physical": True})
        return int(revision)

    # --- kubeconfig ----------------------------------------------------------------------------------------------

    def admin_kubeconfig(self):
        path = self.dir / "admin.kubeconfig"
        path.write_text(json.dumps(kubeconfig(self.url, self.authority.cert, {"token": ADMIN_TOKEN})))
        return path


def kubeconfig(server, ca, user, **cluster):
    """A kubeconfig as a value; JSON is YAML too. ca: a file."""
    return {"apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": str(ca), **cluster}}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}
