"""A small client of the Kubernetes API for tests, on the standard library: JSON in, JSON out, one connection per
thread. Paths: path_of("pods", "ns", "name") and the like; KINDS says where each resource lives."""
import base64
import http.client
import json
import pathlib
import socket
import ssl
import threading
import urllib.parse

KINDS = {  # resource: (group and version, kind, namespaced)
    "pods": ("v1", "Pod", True),
    "services": ("v1", "Service", True),
    "namespaces": ("v1", "Namespace", False),
    "nodes": ("v1", "Node", False),
    "serviceaccounts": ("v1", "ServiceAccount", True),
    "leases": ("coordination.k8s.io/v1", "Lease", True),
    "routerules": ("config.istio.io/v1alpha2", "RouteRule", True),
    "mirrorpolicies": ("umbra.dev/v1alpha1", "MirrorPolicy", True),
    "clusterroles": ("rbac.authorization.k8s.io/v1", "ClusterRole", False),
    "clusterrolebindings": ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", False),
    "roles": ("rbac.authorization.k8s.io/v1", "Role", True),
    "rolebindings": ("rbac.authorization.k8s.io/v1", "RoleBinding", True),
    "customresourcedefinitions": ("apiextensions.k8s.io/v1", "CustomResourceDefinition", False),
}


class ApiError(Exception):
    def __init__(self, what, status, body):
        super().__init__(f"{what}: {status} {body}")
        self.status = status
        self.body = body


class ApiClient:
    def __init__(self, url, ca, token=None, cert=None, timeout=30, name=None):
        """ca, cert: files; cert is (certificate, key). name: whom the certificate names, if not the URL's host."""
        place = urllib.parse.urlsplit(url)
        self.host, self.port, self.name = place.hostname, place.port or 443, name or place.hostname
        self.prefix = place.path.rstrip("/")
        self.token, self.timeout = token, timeout
        self.context = ssl.create_default_context(cafile=str(ca))
        if cert:
            self.context.load_cert_chain(*map(str, cert))
        self.local = threading.local()
        self.versions = {}

    # --- requests ------------------------------------------------------------------------------------------------

    def _link(self):
        link = getattr(self.local, "link", None)
        if link is None:
            link = self.local.link = http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout,
                                                                 context=self.context)
            raw = socket.create_connection((self.host, self.port), self.timeout)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.sock = self.context.wrap_socket(raw, server_hostname=self.name)
        return link

    def _once(self, verb, path, body, headers):
        try:
            link = self._link()
            link.request(verb, self.prefix + path, body, headers)
            answer = link.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.drop_connection()
            raise

    def drop_connection(self):
        link, self.local.link = getattr(self.local, "link", None), None
        if link:
            link.close()

    def call(self, verb, path, body=None, content="application/json"):
        """The answer as JSON; ApiError when the API refuses. A stale connection is replaced once."""
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            headers["Content-Type"] = content
            data = json.dumps(body)
        try:
            status, text = self._once(verb, path, data, headers)
        except (OSError, http.client.HTTPException):
            status, text = self._once(verb, path, data, headers)
        if not 200 <= status < 300:
            try:
                text = json.loads(text).get("message", text)
            except ValueError:
                pass
            raise ApiError(f"{verb} {path}", status, text)
        return json.loads(text) if text else {}

    # --- resources -----------------------------------------------------------------------------------------------

    def has_version(self, version):
        """Whether the API serves a group and version, such as discovery.k8s.io/v1."""
        if version not in self.versions:
            try:
                self.call("GET", f"/apis/{version}")
                self.versions[version] = True
            except ApiError as error:
                if error.status != 404:
                    raise
                return False
        return self.versions[version]

    def slice_version(self):
        return "discovery.k8s.io/v1" if self.has_version("discovery.k8s.io/v1") else "discovery.k8s.io/v1beta1"

    def version_of(self, resource):
        if resource == "endpointslices":
            return self.slice_version()
        if resource == "serviceentries":
            for version in ("v1", "v1beta1", "v1alpha3"):
                if self.has_version(f"networking.istio.io/{version}"):
                    return f"networking.istio.io/{version}"
        return KINDS.get(resource, ("networking.istio.io/v1",))[0]

    def path(self, resource, ns=None, name=None, sub=None):
        version = self.version_of(resource)
        parts = ["/api/v1" if version == "v1" else f"/apis/{version}"]
        if ns:
            parts += ["namespaces", ns]
        parts += [part for part in (resource, name, sub) if part]
        return "/".join(parts)

    def get(self, resource, ns=None, name=None):
        return self.call("GET", self.path(resource, ns, name))

    def find(self, resource, ns=None, name=None):
        """The object, or None."""
        try:
            return self.get(resource, ns, name)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, resource, ns=None, **query):
        path = self.path(resource, ns)
        if query:
            path += "?" + urllib.parse.urlencode(query)
        return self.call("GET", path)["items"] or []

    def create(self, resource, ns, body):
        return self.call("POST", self.path(resource, ns), body)

    def replace(self, resource, ns, name, body, sub=None):
        return self.call("PUT", self.path(resource, ns, name, sub), body)

    def patch(self, resource, ns, name, body, sub=None):
        return self.call("PATCH", self.path(resource, ns, name, sub), body, "application/merge-patch+json")

    def delete(self, resource, ns, name, grace=None, missing_ok=True):
        path = self.path(resource, ns, name)
        if grace is not None:
            path += f"?gracePeriodSeconds={grace}"
        try:
            return self.call("DELETE", path)
        except ApiError as error:
            if error.status != 404 or not missing_ok:
                raise
            return None

    def token_of(self, ns, account, seconds=3600):
        """A token of a ServiceAccount from the TokenRequest API."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                "spec": {"expirationSeconds": seconds, "audiences": []}}
        return self.call("POST", self.path("serviceaccounts", ns, account, "token"), body)["status"]["token"]


def from_kubeconfig(config, folder):
    """An ApiClient from a kubeconfig as `kubectl config view --raw --flatten --minify -o json` prints it. Files that
    it needs go to folder. ValueError where the credentials are of a kind that this client does not speak."""
    folder = pathlib.Path(folder)
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]

    def file_of(entry, key, name):
        data = entry.get(f"{key}-data")
        if data is None:
            return entry.get(key)
        (folder / name).write_bytes(base64.b64decode(data))
        return folder / name
    ca = file_of(cluster, "certificate-authority", "cluster-ca.crt")
    if ca is None:
        raise ValueError("the kubeconfig names no certificate authority")
    cert, token = file_of(user, "client-certificate", "client.crt"), user.get("token")
    if not cert and not token:
        raise ValueError("the kubeconfig has neither a client certificate nor a token")
    pair = (cert, file_of(user, "client-key", "client.key")) if cert else None
    return ApiClient(cluster["server"], ca, token, pair, name=cluster.get("tls-server-name"))
