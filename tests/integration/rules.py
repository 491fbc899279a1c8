"""The documents that the cases feed to Umbra."""
import json
import pathlib

DEMO = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "demo.d"
POST_RULE_FILE = DEMO / "mirror-traffic-to-httbin-v2.yaml"
DEFAULT_RULE_FILE = DEMO / "httpbin-default-v1.yaml"
POST_RULE_NAME = "mirror-traffic-to-httbin-v2"
DEFAULT_RULE_NAME = "httpbin-default-v1"


def mirror_rule(name="mirror", precedence=11, mirror_version="v2", service="httpbin", mirrored=True, match=""):
    mirror = f"  mirror:\n    name: {service}\n    labels:\n      version: {mirror_version}\n" if mirrored else ""
    return f"""apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: {name}
spec:
  destination:
    name: {service}
  precedence: {precedence}
{match}  route:
  - labels:
      version: v1
    weight: 100
{mirror}"""


def _pod(name, service, version, addresses, port):
    ips = "".join(f"    - ip: {a}\n" for a in addresses)
    return f"""- apiVersion: v1
  kind: Pod
  metadata:
    name: {name}
    namespace: default
    labels:
      app: {service}
      version: {version}
  spec:
    containers:
    - name: {service}
      image: docker.io/kennethreitz/httpbin
      ports:
      - containerPort: {port}
        protocol: TCP
  status:
    phase: Running
    podIP: {addresses[0]}
    podIPs:
{ips}    conditions:
    - type: Ready
      status: "True"
"""


def registry(pods, port=8080, service="httpbin", service_port=8080):
    """The List that `kubectl get svc,pods -o yaml` prints. pods: version -> list of pods' address lists."""
    out = f"""apiVersion: v1
kind: List
metadata:
  resourceVersion: ""
items:
- apiVersion: v1
  kind: Service
  metadata:
    name: {service}
    namespace: default
    labels:
      app: {service}
  spec:
    type: ClusterIP
    ports:
    - name: http
      port: {service_port}
      protocol: TCP
      targetPort: {port}
    selector:
      app: {service}
"""
    for version, members in pods.items():
        for index, addresses in enumerate(members):
            out += _pod(f"{service}-{version}-{index}", service, version, addresses, port)
    return out


def write(lab, name, text):
    path = lab.dir / name
    path.write_text(text)
    return path


def documents(*objects):
    """Several documents in one file; JSON is YAML."""
    return "\n---\n".join(json.dumps(o, indent=1) for o in objects) + "\n"


def service_entry(host, endpoints, port=8080):
    """A service outside of Kubernetes. endpoints: [(version, address, port), ...]."""
    return {"apiVersion": "networking.istio.io/v1beta1", "kind": "ServiceEntry",
            "metadata": {"name": host.split(".")[0]},
            "spec": {"hosts": [host], "resolution": "STATIC",
                     "ports": [{"number": port, "name": "http", "protocol": "HTTP"}],
                     "endpoints": [{"address": address, "labels": {"version": version}, "ports": {"http": at}}
                                   for version, address, at in endpoints]}}


def rule_between(name, origin, mirror, precedence=11, **match):
    """origin, mirror: (host, version)."""
    return {"apiVersion": "config.istio.io/v1alpha2", "kind": "RouteRule", "metadata": {"name": name},
            "spec": {"destination": {"service": origin[0]}, "precedence": precedence, **match,
                     "route": [{"labels": {"version": origin[1]}}],
                     "mirror": {"service": mirror[0], "labels": {"version": mirror[1]}}}}


def mirror_policy(rule, **spec):
    """What a rule's mirror is sent, and how."""
    return {"apiVersion": "umbra.dev/v1alpha1", "kind": "MirrorPolicy", "metadata": {"name": f"{rule}-policy"},
            "spec": {"targetRef": {"kind": "RouteRule", "name": rule}, **spec}}
