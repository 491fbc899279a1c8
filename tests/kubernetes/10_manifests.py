#!/usr/bin/python3
"""deploy/kubernetes on a real API server: strict dry runs of everything, the CRDs installed, good documents accepted
and bad ones refused."""
import integration  # noqa: F401
import json
import pathlib
import re

import yaml

import crds
import objects
import rules
from case import Skip, case, check, check_equal, check_none, main, note
from cluster import NAMED_NAMESPACE
from stage import Stage, the_cluster

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "kubernetes"
CEL_SINCE = (1, 25)


def documents(text):
    return [d for d in yaml.safe_load_all(text) if d]


def without_cel(value):
    """For a server that does not know CEL: the same without its rules, which that server would drop."""
    if isinstance(value, dict):
        return {k: without_cel(v) for k, v in value.items() if k != "x-kubernetes-validations"}
    return [without_cel(v) for v in value] if isinstance(value, list) else value


def understood(cluster, docs):
    if cluster.version() >= CEL_SINCE:
        return docs
    return [without_cel(d) if d["kind"] == "CustomResourceDefinition" else d for d in docs]


def dry_run(cluster, docs):
    """What a strict dry run of these documents complains about."""
    done = cluster.kubectl("apply", "--dry-run=server", "--validate=true", "-f", "-", check=False,
                           input_text=yaml.safe_dump_all(docs))
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return said if done.returncode or any("unknown field" in line for line in said) else []


def in_test_namespace(docs, ns):
    """The same for a namespace that exists: a dry run creates none for what follows it. Kinds that this server has
    no definition of (PodMonitor) are left out, and named."""
    kept, left = [], []
    for doc in docs:
        doc = json.loads(json.dumps(doc).replace(f'"{NAMED_NAMESPACE}"', f'"{ns}"'))
        (left if doc["apiVersion"].startswith("monitoring.coreos.com") else kept).append(doc)
    return [doc for doc in kept if doc["kind"] != "Namespace"], sorted({doc["kind"] for doc in left})


def privileged_space(stage):
    ns = stage.space("deploy")
    stage.api.patch("namespaces", None, ns, {"metadata": {"labels": {
        f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "audit", "warn")}}})
    return ns


@case("the files of base and crds pass a strict dry run on the server")
def files():
    with Stage(crds=()) as stage:
        ns = privileged_space(stage)
        for folder in ("crds", "base"):
            found = [f for f in sorted((DEPLOY / folder).glob("*.y*ml")) if not f.stem == "kustomization"]
            check(found, f"{DEPLOY / folder} is empty")
            for file in found:
                docs = documents(file.read_text())
                if docs[0]["kind"] == "Namespace":
                    docs[0]["metadata"]["name"] = stage.cluster.unique("dry")
                else:
                    docs, _ = in_test_namespace(docs, ns)
                check_none(dry_run(stage.cluster, understood(stage.cluster, docs)), file.name)


@case("what `kubectl kustomize` makes of the whole and of each overlay passes a strict dry run")
def overlays():
    with Stage(crds=()) as stage:
        said = json.loads(stage.cluster.kubectl("version", "--client", "-o", "json").stdout)["clientVersion"]
        if int(said["minor"].rstrip("+")) < 21:
            raise Skip(f"the kustomize of kubectl {said['gitVersion']} is too old")
        ns = privileged_space(stage)
        for folder in [DEPLOY, *sorted(p.parent for p in (DEPLOY / "overlays").glob("*/kustomization.y*ml"))]:
            made = stage.cluster.kubectl("kustomize", folder, check=False)
            check_equal(made.returncode, 0, f"kubectl kustomize {folder}: {made.stderr[:400]}; exit code")
            whole = documents(made.stdout)
            kinds = {doc["kind"] for doc in whole}
            check({"DaemonSet", "CustomResourceDefinition", "Namespace", "ClusterRole"} <= kinds, f"only {kinds}")
            docs, left = in_test_namespace(whole, ns)
            check_none(dry_run(stage.cluster, understood(stage.cluster, docs)), folder.name)
            note(f"{folder.name}: {len(docs)} objects" + (f"; no definition here of {', '.join(left)}" if left else ""))


@case("a misspelt field of the DaemonSet is found: the strict dry run is one")
def dry_run_is_strict():
    with Stage(crds=()) as stage:
        ns = privileged_space(stage)
        docs, _ = in_test_namespace(documents((DEPLOY / "base" / "daemonset.yaml").read_text()), ns)
        docs[0]["spec"]["template"]["spec"]["containers"][0]["imagePullPolicyy"] = "Always"
        check(dry_run(stage.cluster, docs), "the misspelt field was taken")


@case("the agent's pods are refused where pod security enforces baseline, as the namespace's label foresees")
def pod_security():
    with Stage(crds=()) as stage:
        if stage.cluster.version() < (1, 25):
            raise Skip("this API server has no pod security admission")
        ns = stage.space("baseline")
        stage.api.patch("namespaces", None, ns,
                        {"metadata": {"labels": {"pod-security.kubernetes.io/warn": "baseline"}}})
        docs, _ = in_test_namespace(documents((DEPLOY / "base" / "daemonset.yaml").read_text()), ns)
        done = stage.cluster.kubectl("apply", "--dry-run=server", "-f", "-", input_text=yaml.safe_dump_all(docs))
        check("host namespaces" in done.stderr, f"no warning: {done.stderr[:500]}")
        ns = privileged_space(stage)
        docs, _ = in_test_namespace(documents((DEPLOY / "base" / "daemonset.yaml").read_text()), ns)
        done = stage.cluster.kubectl("apply", "--dry-run=server", "-f", "-", input_text=yaml.safe_dump_all(docs))
        check_equal(done.stderr, "", "warnings in a privileged namespace")


def applied(stage, ns, text):
    """Applies documents in a namespace for real; returns (exit code, what kubectl said)."""
    done = stage.cluster.kubectl("apply", "--validate=true", "-n", ns, "-f", "-", check=False, input_text=text)
    return done.returncode, done.stderr.strip()


@case("the CRDs are installed, Established and structural, and kubectl knows the short names and columns")
def crds_installed():
    with Stage() as stage:
        ns = stage.space()
        for name in ("routerules", "mirrorpolicies"):
            crd = stage.api.get("customresourcedefinitions", None, crds.full_name(name))
            got = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
            check_equal(got.get("Established"), "True", f"Established of {name}")
            check_equal(got.get("NamesAccepted"), "True", f"NamesAccepted of {name}")
            check("NonStructuralSchema" not in got, f"{name}: {crd['status']['conditions']}")
        check_equal(applied(stage, ns, rules.POST_RULE_FILE.read_text())[0], 0, "exit code for the post's rule")
        check_equal(applied(stage, ns, rules.DEFAULT_RULE_FILE.read_text())[0], 0, "exit code for the default rule")
        objects.put(stage.api, "mirrorpolicies", ns, objects.mirror_policy())
        for crd in crds.wanted(["routerules", "mirrorpolicies"]):
            for short in crd["spec"]["names"].get("shortNames", []):
                done = stage.cluster.kubectl("get", short, "-n", ns)
                header = done.stdout.splitlines()[0].split()
                check(len(header) > 2 and header[0] == "NAME" and header[-1] == "AGE", f"columns {header}")
        shown = stage.cluster.kubectl("get", "routerules", "-n", ns).stdout
        note(shown.splitlines()[0])
        check(objects.RULE_NAME in shown and "httpbin" in shown, f"kubectl get shows\n{shown}")


def changed(document, path, value):
    """A copy of the document with the field at a dotted path replaced; None: removed."""
    document = json.loads(json.dumps(document))
    *steps, last = path.split(".")
    inner = document
    for step in steps:
        inner = inner[int(step)] if isinstance(inner, list) else inner.setdefault(step, {})
    if value is None:
        inner.pop(last, None)
    else:
        inner[last] = value
    return document


BAD = [  # document, field, value, whether CEL alone can refuse it
    ("rule", "spec", None, False),
    ("rule", "spec.destination", None, False),
    ("rule", "spec.destination.name", "Not_A_Name", False),
    ("rule", "spec.precedence", "high", False),
    ("rule", "spec.route", {"labels": {"version": "v1"}}, False),
    ("rule", "spec.route.0.weight", 101, False),
    ("rule", "spec.route.0.weight", -1, False),
    ("rule", "spec.route.0.weight", 70, True),
    ("rule", "spec.mirror.labels", {"version": 2}, False),
    ("rule", "spec.destination.service", "httpbin.default.svc", True),
    ("policy", "spec.percent", 101, False),
    ("policy", "spec.percent", "all", False),
    ("policy", "spec.protocol", "http9", False),
    ("policy", "spec.order", "random", False),
    ("policy", "spec.limits", {"connections": -1}, False),
    ("policy", "spec.targetRef", None, False),
]


@case("documents that are wrong are refused by the API itself")
def bad_documents():
    with Stage() as stage:
        ns = stage.space()
        base = {"rule": objects.route_rule(), "policy": objects.mirror_policy()}
        taken, cel = [], stage.cluster.version() >= CEL_SINCE
        for kind, path, value, needs_cel in BAD:
            if needs_cel and not cel:
                continue
            code, _ = applied(stage, ns, json.dumps(changed(base[kind], path, value)))
            if code == 0:
                taken.append(f"{kind} with {path} = {value!r}")
        check_none(taken, "taken in spite of what is wrong")
        if not cel:
            note("what only CEL refuses was left out: this API server does not know it")
        for document in base.values():
            code, said = applied(stage, ns, json.dumps(document))
            check_equal(code, 0, f"exit code for the document that they were made from ({said})")


@case("the policy of the README is accepted as it stands there")
def readme_policy():
    with Stage() as stage:
        ns = stage.space()
        blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
        blocks = [b for b in blocks if re.search(r"^kind: (MirrorPolicy|RouteRule)$", b, re.M)]
        check(blocks, "no document in README.md")
        for block in blocks:
            for document in documents(block):
                document["metadata"].pop("namespace", None)
                code, said = applied(stage, ns, yaml.safe_dump(document))
                check_equal(code, 0, f"exit code for {document['kind']} {document['metadata']['name']} ({said})")


@case("the shipped ClusterRole and Role are all that the controller's account has in these tests")
def shipped_rights():
    import cluster
    the_cluster()
    flat = {(r, v) for rule in cluster.CLUSTER_RULES for r in rule["resources"] for v in rule["verbs"]}
    check(not {v for _, v in flat} - {"get", "list", "watch", "patch", "update"}, f"rights beyond reading: {flat}")
    check(not {r for r, v in flat if v in ("patch", "update")} - {"routerules/status", "mirrorpolicies/status"},
          f"writes beyond status: {flat}")
    check(not any("secrets" in r or "*" in r for r, _ in flat), f"rights to secrets: {flat}")


if __name__ == "__main__":
    main()
