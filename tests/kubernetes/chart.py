#!/usr/bin/python3
"""The Helm chart, rendered by tests/kubernetes/render_chart (Go with sprig, as helm has): by default the same objects as
deploy/kubernetes/base, and its options do what they say."""
import copy
import json
import os
import pathlib
import subprocess
import sys

import integration  # noqa: F401  pylint: disable=unused-import
from case import Skip, build_dir, case, check, check_equal, check_none, main

try:
    import yaml
    import manifest_rules
except ImportError as missing:
    print(f"SKIP chart: {missing}: scripts/install-deps all")
    sys.exit(0)

from manifest_files import CHART, KUBERNETES, base, documents

HERE = pathlib.Path(__file__).resolve().parent
GO = "/usr/lib/go-1.19/bin/go"
SPRIG = pathlib.Path("/usr/share/gocode/src/github.com/Masterminds/sprig")


def renderer():
    """The tool, built once; a skip where Debian's Go or sprig is absent."""
    if not os.access(GO, os.X_OK):
        raise Skip("Go is not installed: scripts/install-deps kubernetes")
    if not SPRIG.exists():
        raise Skip("golang-github-masterminds-sprig-dev is not installed: scripts/install-deps kubernetes")
    target = build_dir() / "tests" / "render_chart"
    target.parent.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "",
           "GOCACHE": str(build_dir() / "go-cache")}
    done = subprocess.run([GO, "build", "-o", target, "."], cwd=HERE / "render_chart", env=env, text=True,
                          capture_output=True, check=False)
    check(done.returncode == 0, done.stderr)
    return target


def render(namespace="umbra-system", **values):
    """The chart's documents; values by path with __ for dots."""
    argv = [renderer(), CHART, "-namespace", namespace]
    for path, value in values.items():
        argv += ["-set", f"{path.replace('__', '.')}={json.dumps(value)}"]
    done = subprocess.run(argv, text=True, capture_output=True, check=False)
    check(done.returncode == 0, done.stderr)
    return documents(done.stdout)


def essence(found):
    """Without the labels that only helm's objects have."""
    out = []
    for document in copy.deepcopy(found):
        document["metadata"]["labels"] = {
            key: value for key, value in document["metadata"]["labels"].items()
            if key not in ("app.kubernetes.io/instance", "app.kubernetes.io/version",
                           "app.kubernetes.io/managed-by", "helm.sh/chart")}
        out.append(document)
    return sorted(out, key=lambda document: (document["kind"], document["metadata"]["name"]))


def daemonset(found):
    return manifest_rules.of_kind(found, "DaemonSet")[0]


def pod(found):
    return daemonset(found)["spec"]["template"]["spec"]


def container(found, name):
    return next(c for c in pod(found)["containers"] if c["name"] == name)


@case("rendered with namespace.create it is the base")
def default_is_the_base():
    check_equal(essence(render(namespace__create=True)), essence(base()), "objects")
    without = [document for document in base() if document["kind"] != "Namespace"]
    check_equal(essence(render()), essence(without), "objects by default")


@case("privileged is the loader's alone")
def privileged():
    found = render(privileged=True)
    check_none(manifest_rules.pod_faults(daemonset(found), privileged=True), "privileged")


@case("the monitor, with an open listener and probes on loopback")
def pod_monitor():
    found = render(podMonitor__enabled=True, podMonitor__labels={"release": "prom"}, metrics__listen="0.0.0.0",
                   metrics__port=9999)
    monitor, = manifest_rules.of_kind(found, "PodMonitor")
    check_equal(monitor["metadata"]["labels"]["release"], "prom", "label")
    wanted = documents((KUBERNETES / "overlays" / "podmonitor" / "podmonitor.yaml").read_text())[0]["spec"]
    check_equal(monitor["spec"], wanted, "the monitor")
    exporter = container(found, "exporter")
    check("--listen=0.0.0.0:9999" in exporter["args"], exporter["args"])
    check_equal(exporter["livenessProbe"]["httpGet"], {"host": "127.0.0.1", "port": 9999, "path": "/healthz"}, "probe")
    check_equal(exporter["ports"][0]["containerPort"], 9999, "port")


@case("image, scheduling, resources and texts of one's own")
def options():
    found = render(
        "mirror", image={"repository": "r.example/umbra", "tag": "9", "pullPolicy": "Always"}, workers=4,
        tolerations=[], nodeSelector={"pool": "a"}, affinity={"nodeAffinity": {}}, priorityClassName="",
        resources__exporter={"limits": {"memory": "1Gi"}}, podAnnotations={"a": "b"}, podLabels={"c": "d"},
        extraArgs=["--limit=queue_memory=64M"], imagePullSecrets=[{"name": "s"}], networkPolicy__enabled=False,
        serviceAccount__annotations={"e": "f"}, nameOverride="other", updateStrategy={"type": "OnDelete"})
    spec, template = pod(found), daemonset(found)["spec"]["template"]
    check_equal({c["image"] for c in spec["containers"]}, {"r.example/umbra:9"}, "image")
    check_equal({c["imagePullPolicy"] for c in spec["containers"]}, {"Always"}, "pull policy")
    check_equal((spec.get("tolerations"), spec["nodeSelector"], spec["affinity"], spec.get("priorityClassName")),
                (None, {"pool": "a"}, {"nodeAffinity": {}}, None), "scheduling")
    check_equal(container(found, "exporter")["resources"], {"limits": {"memory": "1Gi"}}, "resources")
    args = container(found, "loader")["args"]
    check("--workers=4" in args and "--limit=queue_memory=64M" in args, args)
    check_equal((template["metadata"]["annotations"]["a"], template["metadata"]["labels"]["c"]), ("b", "d"), "texts")
    check_equal(manifest_rules.of_kind(found, "NetworkPolicy"), [], "network policies")
    check_equal(manifest_rules.of_kind(found, "ServiceAccount")[0]["metadata"]["annotations"], {"e": "f"}, "account")
    check_equal(daemonset(found)["spec"]["updateStrategy"], {"type": "OnDelete"}, "update strategy")
    names = {document["metadata"]["name"] for document in found}
    check_equal(names, {"other"}, "names")
    check_none(manifest_rules.role_faults(found), "roles")


@case("every value of values.yaml is in its schema, and nothing is in the schema alone")
def values_and_schema():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = set(schema["properties"]) - {"global"}
    check_equal(set(values), known, "top-level values")
    for name, part in schema["properties"].items():
        if part.get("properties") and isinstance(values.get(name), dict):
            check_equal(set(values[name]), set(part["properties"]), name)


if __name__ == "__main__":
    main()
