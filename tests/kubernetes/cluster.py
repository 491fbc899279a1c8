"""The cluster that the cases run on, and what they leave there for a while.

UMBRA_TEST_KUBE_ASSETS=DIR    own etcd and kube-apiserver of DIR, gone afterwards: everything is tested
UMBRA_TEST_KUBECONFIG=FILE    an existing cluster: cases that would disturb it are skipped; what is made lies in
                              namespaces umbra-test-…, ClusterRoles of that name, and CRDs that were absent before
"""
import contextlib
import json
import os
import pathlib
import shutil
import tempfile
import time

import yaml

import api_client
import crds
from api_client import ApiError
from api_server import ADMIN_TOKEN, ApiServer, Authority, kubeconfig
from case import Skip
from lab import LabError, run, wait_for

NEEDED = "set UMBRA_TEST_KUBECONFIG or UMBRA_TEST_KUBE_ASSETS"
NAMED_NAMESPACE = "umbra-system"  # in deploy/kubernetes
BASE = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "base"


def shipped_rules(name):
    return yaml.safe_load((BASE / name).read_text())["rules"]


CLUSTER_RULES = shipped_rules("clusterrole.yaml")  # what the controller may do everywhere
LEASE_RULES = shipped_rules("role.yaml")           # and in its own namespace


def kubectl_binary():
    own = pathlib.Path(os.environ.get("UMBRA_TEST_KUBE_ASSETS", "/nonexistent")) / "kubectl"
    found = shutil.which("kubectl") or (str(own) if own.exists() else None)
    if not found:
        raise Skip("command 'kubectl' is not installed")
    return found


class Cluster:
    """Use as a context manager. own: the ApiServer when it is ours, else None."""

    def __init__(self):
        self.own = None
        self.assets = os.environ.get("UMBRA_TEST_KUBE_ASSETS")
        self.existing = os.environ.get("UMBRA_TEST_KUBECONFIG")
        if not self.assets and not self.existing:
            raise Skip(NEEDED)
        self.dir = None
        self.undo = []
        self.count = 0

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"umbra-kubetest-{os.getpid()}-"))
        self.dir.chmod(0o755)
        try:
            self._open_existing() if self.existing else self._open_own()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _open_own(self):
        self.own = ApiServer(self.assets)
        self.own.__enter__()
        self.authority = self.own.authority
        self.admin_kubeconfig = self.own.admin_kubeconfig()
        self.api = api_client.ApiClient(self.own.url, self.own.authority.cert, ADMIN_TOKEN)
        self.ca, self.url, self.name = self.own.authority.cert, self.own.url, None

    def _open_existing(self):
        self.admin_kubeconfig = pathlib.Path(self.existing).resolve()
        self.authority = Authority(self.dir)
        text = run([kubectl_binary(), "--kubeconfig", self.admin_kubeconfig, "config", "view", "--raw", "--flatten",
                    "--minify", "-o", "json"]).stdout
        config = json.loads(text)
        try:
            self.api = api_client.from_kubeconfig(config, self.dir)
        except ValueError as error:
            raise Skip(f"UMBRA_TEST_KUBECONFIG: {error}") from None
        cluster = config["clusters"][0]["cluster"]
        self.ca = self.dir / "cluster-ca.crt"
        if not self.ca.exists():
            self.ca = pathlib.Path(cluster["certificate-authority"])
        self.url, self.name = cluster["server"], cluster.get("tls-server-name")

    def version(self):
        """(major, minor)"""
        said = self.api.call("GET", "/version")
        return int(said["major"]), int(said["minor"].rstrip("+"))

    def need_own(self):
        """For cases that restart the server, compact its store, write thousands of objects or change shared things."""
        if not self.own:
            raise Skip("needs a server of its own: set UMBRA_TEST_KUBE_ASSETS")
        return self.own

    def close(self):
        for action in reversed(self.undo):
            with contextlib.suppress(ApiError, OSError):
                action()
        if self.own:
            self.own.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- things that are removed again ---------------------------------------------------------------------------

    def unique(self, word):
        self.count += 1
        return f"umbra-test-{os.getpid():x}-{self.count}-{word}"

    def namespace(self, word="ns", labels=None):
        name = self.unique(word)
        self.api.create("namespaces", None, {"apiVersion": "v1", "kind": "Namespace",
                                             "metadata": {"name": name, "labels": labels or {}}})
        self.undo.append(lambda: self.api.delete("namespaces", None, name))
        if not self.own:  # where a controller makes it, pods are refused until it is there
            with contextlib.suppress(LabError):
                wait_for(lambda: self.api.find("serviceaccounts", name, "default"), 5, "the default ServiceAccount")
        return name

    def account(self, ns, name="umbra", cluster_rules=None, lease_rules=None):
        """A ServiceAccount with the controller's rights, or others. Returns an Account."""
        account = Account(self, ns, name)
        account.grant(CLUSTER_RULES if cluster_rules is None else cluster_rules)
        account.grant_here(LEASE_RULES if lease_rules is None else lease_rules)
        return account

    def install_crds(self, *names):
        """Creates the CRDs of these resources (all by default) that are absent; returns those that it made."""
        made = []
        for crd in crds.wanted(names or crds.NAMES):
            name = crd["metadata"]["name"]
            if self.api.find("customresourcedefinitions", None, name):
                continue
            self.api.create("customresourcedefinitions", None, crd)
            self.undo.append(lambda name=name: self.api.delete("customresourcedefinitions", None, name))
            made.append(name)
        for resource in names or crds.NAMES:
            self.wait_served(resource)
        return made

    def wait_served(self, resource):
        def served():
            try:
                self.api.list(resource)
                return True
            except ApiError as error:
                if error.status != 404:
                    raise
                return False
        wait_for(served, 20, f"the API serving {resource}", step=0.1)

    def remove_crd(self, resource):
        """Only one that install_crds made."""
        name = crds.full_name(resource)
        self.api.delete("customresourcedefinitions", None, name)
        wait_for(lambda: self.api.find("customresourcedefinitions", None, name) is None, 30, f"the end of {name}")
        self.api.versions.clear()

    # --- for programs --------------------------------------------------------------------------------------------

    def kubeconfig(self, name, user, server=None, ca=None, **cluster):
        """Writes a kubeconfig; by default for the API server itself."""
        path = self.dir / f"{name}.kubeconfig"
        extra = {"tls-server-name": self.name} if self.name and server is None else {}
        path.write_text(json.dumps(kubeconfig(server or self.url, ca or self.ca, user, **extra, **cluster)))
        path.chmod(0o644)
        return path

    def through(self, proxy, name, user):
        """A kubeconfig that leads through a FaultProxy, whose TLS is the API server's own."""
        extra = {} if self.own else {"tls-server-name": self.name or self.api.host}
        return self.kubeconfig(name, user, server=proxy.url, **extra)

    def kubectl(self, *args, check=True, input_text=None, timeout=60):
        return run([kubectl_binary(), "--kubeconfig", self.admin_kubeconfig, *args], check=check, timeout=timeout,
                   input=input_text)


class Account:
    def __init__(self, cluster, ns, name):
        self.cluster, self.ns, self.name = cluster, ns, name
        self.role = f"{ns}-{name}"
        api = cluster.api
        api.create("serviceaccounts", ns, {"apiVersion": "v1", "kind": "ServiceAccount",
                                           "metadata": {"name": name}})
        self.token_file = cluster.dir / f"{self.role}.token"
        self.renew()

    def renew(self, seconds=3600):
        """A new token, put in place by rename as the kubelet does it; returns the token."""
        token = self.cluster.api.token_of(self.ns, self.name, seconds)
        self.put(token)
        return token

    def put(self, token):
        fresh = self.token_file.with_suffix(".new")
        fresh.write_text(token)
        fresh.chmod(0o644)
        fresh.rename(self.token_file)

    def user(self):
        return {"tokenFile": str(self.token_file)}

    def _subject(self):
        return [{"kind": "ServiceAccount", "name": self.name, "namespace": self.ns}]

    def _put(self, resource, ns, body):
        api, name = self.cluster.api, body["metadata"]["name"]
        if api.find(resource, ns, name):
            api.replace(resource, ns, name, body)
            return
        api.create(resource, ns, body)
        if ns is None:
            self.cluster.undo.append(lambda: api.delete(resource, None, name))

    def grant(self, rules):
        """The rights everywhere; a second call replaces them."""
        version = "rbac.authorization.k8s.io/v1"
        self._put("clusterroles", None, {"apiVersion": version, "kind": "ClusterRole",
                                         "metadata": {"name": self.role}, "rules": rules})
        self._put("clusterrolebindings", None, {
            "apiVersion": version, "kind": "ClusterRoleBinding", "metadata": {"name": self.role},
            "subjects": self._subject(),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": self.role}})

    def grant_here(self, rules):
        """The rights in the account's own namespace."""
        version = "rbac.authorization.k8s.io/v1"
        self._put("roles", self.ns, {"apiVersion": version, "kind": "Role", "metadata": {"name": self.name},
                                     "rules": rules})
        self._put("rolebindings", self.ns, {
            "apiVersion": version, "kind": "RoleBinding", "metadata": {"name": self.name}, "subjects": self._subject(),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": self.name}})

    def wait_allowed(self, verb, group, resource, allowed=True):
        """Until the API's own authorizer has taken in a change of rights."""
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": f"system:serviceaccount:{self.ns}:{self.name}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{self.ns}", "system:authenticated"],
            "resourceAttributes": {"verb": verb, "group": group, "resource": resource}}}

        def as_wanted():
            answer = self.cluster.api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
            return answer["status"].get("allowed", False) == allowed
        deadline = time.monotonic() + 10
        while not as_wanted():
            if time.monotonic() > deadline:
                raise AssertionError(f"{verb} {resource} is still {'denied' if allowed else 'allowed'}")
            time.sleep(0.05)
