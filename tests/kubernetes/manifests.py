#!/usr/bin/python3
"""deploy/kubernetes and deploy/helm without a cluster: what the manifests grant, that the schemas of the resources say
what user/rules says, that what is printed by `umbra install` is what is in deploy/. Needs no root and no network."""
import re
import subprocess
import sys
import tempfile

import integration  # noqa: F401  pylint: disable=unused-import
from case import case, check, check_equal, check_none, main, need_command

try:
    import yaml
    import manifest_rules
    import objects_table
    import schema_check
except ImportError as missing:
    print(f"SKIP manifests: {missing}: scripts/install-deps all")
    sys.exit(0)

from manifest_files import CHART, KUBERNETES, ROOT, base, documents, umbra, version


@case("what the base grants is what is stated, and nothing else")
def base_is_sound():
    found = base()
    daemonset, = manifest_rules.of_kind(found, "DaemonSet")
    check_none(manifest_rules.role_faults(found) + manifest_rules.pod_faults(daemonset) +
               manifest_rules.label_faults(found) + manifest_rules.reference_faults(found), "the base")
    token = [mount["name"] for container in daemonset["spec"]["template"]["spec"]["containers"]
             for mount in container["volumeMounts"] if mount["mountPath"].startswith("/var/run/secrets")]
    check_equal(token, ["api-access"], "mounts of a token")


@case("the rules for manifests find what is wrong")
def rules_can_fail():
    broken = [("image: umbra:", "image: umbra@", 4), ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", 4),
              ("BPF, NET_ADMIN", "BPF, NET_ADMIN, SYS_ADMIN", 1), ("limits: {memory: 64Mi}", "limits: {}", 1),
              ("host: 127.0.0.1", "host: 0.0.0.0", 3), ("hostNetwork: true", "hostNetwork: false", 1),
              ("      app.kubernetes.io/name: umbra\n  update", "      app: x\n  update", 1),
              ("readOnly: true}\n      volumes", "readOnly: true}\n        - {name: tun, mountPath: /x}\n      volumes", 1)]
    text = (KUBERNETES / "base" / "daemonset.yaml").read_text()
    for old, new, count in broken:
        check(old in text, f"{old!r} is not in the manifest")
        found = manifest_rules.pod_faults(documents(text.replace(old, new))[0])
        check(len(found) == count, f"{new!r}: {count} faults wanted, found {found}")
    role = (KUBERNETES / "base" / "clusterrole.yaml").read_text().replace("namespaces, pods", "secrets, pods")
    check(manifest_rules.role_faults(documents(role)), "a role that reads secrets is not found")


@case("images, chart and program have the version of VERSION")
def versions():
    images = {container["image"] for document in manifest_rules.of_kind(base(), "DaemonSet")
              for container in document["spec"]["template"]["spec"]["containers"]}
    check_equal(images, {f"umbra:{version()}"}, "images")
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    check_equal((chart["version"], chart["appVersion"]), (version(), version()), "the chart's versions")


@case("the CRDs are as generated, structural and bounded, and the chart has the same")
def crds_are_sound():
    done = subprocess.run([sys.executable, ROOT / "scripts" / "gen_crds", "--check"], text=True, capture_output=True,
                          check=False)
    check(done.returncode == 0, done.stderr)
    for kind, crd in schema_check.load_crds().items():
        check_none(schema_check.structural_faults(schema_check.schema_of(crd), ""), kind)
        names = crd["spec"]["names"]
        check_equal(crd["metadata"]["name"], f"{names['plural']}.{crd['spec']['group']}", "name")
        check_equal(names["categories"], ["umbra"], "categories")
        check_equal(crd["spec"]["versions"][0]["subresources"], {"status": {}}, "subresources")
        path = CHART / "crds" / f"{crd['metadata']['name']}.yaml"
        check_equal(documents(path.read_text()), [crd], f"{path}")
    check_equal(sorted(path.name for path in (CHART / "crds").iterdir()),
                sorted(path.name for path in schema_check.CRDS.glob("*.yaml")), "files of the chart's crds/")


@case("CEL rules name only fields that the schema has, and have a message")
def cel_rules_fit():
    count = 0
    for kind, crd in schema_check.load_crds().items():
        for path, rule, schema in schema_check.cel_rules(schema_check.schema_of(crd)):
            count += 1
            check(rule.get("message"), f"{kind}{path}: a rule without a message")
            named = set(re.findall(r"\bself\.(\w+)(?!\()\b", rule["rule"])) - {"all", "exists", "matches", "map"}
            known = {name.replace("namespace", "__namespace__") if name == "namespace" else name
                     for name in schema.get("properties", {})}
            check(named <= known or not known, f"{kind}{path}: {rule['rule']} names {sorted(named - known)}")
    check(count > 30, f"only {count} rules")


@case("schema and program judge the same objects alike")
def schema_and_program_agree():
    crds = schema_check.load_crds()
    wrong = []
    for text, kind, verdict in objects_table.rows():
        found = schema_check.complaints(yaml.safe_load(text), schema_check.schema_of(crds[kind]))
        if bool(found) != (verdict == objects_table.SCHEMA):
            wrong.append(f"{text.splitlines()[-1]}: {verdict}, but the schema says {found}")
        target = "" if kind == "RouteRule" else "---\n" + objects_table.rule_text("{destination: {name: a}}")
        done = umbra("check", "-f", "-", text=text + target)
        if (done.returncode == 0) != (verdict == objects_table.ACCEPTED):
            wrong.append(f"{text.splitlines()[-1]}: {verdict}, but the program says {done.stderr}")
    check_none(wrong, "rows")


@case("every RouteRule and MirrorPolicy of the documentation, and the post's, passes the schema")
def examples_pass():
    crds, count, wrong = schema_check.load_crds(), 0, []
    places = [*ROOT.glob("*.md"), *ROOT.glob("user/*/README.md"), *ROOT.glob("deploy/**/*.md"),
              *ROOT.glob("scripts/demo.d/*.yaml")]
    for place in places:
        text = place.read_text()
        blocks = re.findall(r"```yaml\n(.*?)```", text, re.S) if place.suffix == ".md" else [text]
        for document in (document for block in blocks for document in documents(block)):
            if document.get("kind") in crds:
                count += 1
                wrong += [f"{place.name}: {fault}" for fault in
                          schema_check.complaints(document, schema_check.schema_of(crds[document["kind"]]))]
    check_none(wrong, "examples")
    check(count >= 4, f"only {count} examples were found")


def camel_case(value):
    """The program also takes append_headers for appendHeaders; an API server knows one spelling."""
    if isinstance(value, list):
        return [camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {re.sub("_([a-z])", lambda found: found.group(1).upper(), key): camel_case(item)
            for key, item in value.items()}


@case("the golden rules that the program accepts pass the schema")
def golden_rules_pass():
    crds, wrong, count = schema_check.load_crds(), [], 0
    for plan in sorted((ROOT / "tests" / "golden" / "rules").glob("*.plan")):
        for document in documents(plan.with_suffix(".yaml").read_text()):
            items = document.get("items", [document]) if document.get("kind") == "List" else [document]
            for item in (item for item in items if item.get("kind") in crds):
                count += 1
                wrong += [f"{plan.stem}: {fault}" for fault in
                          schema_check.complaints(camel_case(item), schema_check.schema_of(crds[item["kind"]]))]
    check_none(wrong, "golden rules")
    check(count >= 8, f"only {count} golden objects")


@case("umbra install prints what deploy/kubernetes holds")
def install_prints_the_base():
    crds = list(schema_check.load_crds().values())
    done = umbra("install", "--dry-run")
    check_equal(done.returncode, 0, done.stderr or "exit code")
    printed = documents(done.stdout)
    by_name = sorted(crds, key=lambda crd: crd["metadata"]["name"])
    check_equal(sorted(printed[:2], key=lambda crd: crd["metadata"]["name"]), by_name, "CRDs first")
    check_equal(printed[2:], base(), "then the base")
    only = documents(umbra("install", "--dry-run", "--crds").stdout)
    check_equal(sorted(only, key=lambda crd: crd["metadata"]["name"]), by_name, "--crds")


@case("umbra install puts namespace, image, privilege and the monitor where they belong")
def install_options():
    done = umbra("install", "--dry-run", "--namespace", "mirror", "--image", "r.example:5000/u:1", "--privileged",
                 "--pod-monitor")
    check_equal(done.returncode, 0, done.stderr or "exit code")
    found = documents(done.stdout)
    daemonset, = manifest_rules.of_kind(found, "DaemonSet")
    listen = "--listen=0.0.0.0:9464"
    check_none(manifest_rules.pod_faults(daemonset, privileged=True) + manifest_rules.role_faults(found) +
               manifest_rules.label_faults(found) + manifest_rules.reference_faults(found), "with all options")
    containers = {c["name"]: c for c in daemonset["spec"]["template"]["spec"]["containers"]}
    check_equal({c["image"] for c in containers.values()}, {"r.example:5000/u:1"}, "images")
    check(listen in containers["exporter"]["args"], f"the exporter's arguments: {containers['exporter']['args']}")
    check_equal(len(manifest_rules.of_kind(found, "PodMonitor")), 1, "monitors")
    check("umbra-system" not in done.stdout, "the default namespace is still named")
    for option in (["--namespace", "Not_A_Name"], ["--image", "a b"], ["--image", "x:latest"], ["--image", "none"]):
        check_equal(umbra("install", "--dry-run", *option).returncode, 2, f"exit code of {option}")


def kustomized(folder):
    need_command("kubectl")
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(["kubectl", "kustomize", str(KUBERNETES / folder)], text=True, capture_output=True,
                              check=False, env={"HOME": home, "PATH": "/usr/bin:/bin:/usr/local/bin"})
    check(done.returncode == 0, done.stderr)
    return documents(done.stdout)


def by_identity(found):
    """Patches of kustomize move the patched container to the front."""
    for document in manifest_rules.of_kind(found, "DaemonSet"):
        document["spec"]["template"]["spec"]["containers"].sort(key=lambda container: container["name"])
    return sorted(found, key=lambda document: (document["kind"], document["metadata"]["name"]))


@case("kubectl kustomize builds base and overlays, the same as umbra install prints")
def kustomize_builds():
    for folder, options in (("", []), ("overlays/privileged", ["--privileged"]),
                            ("overlays/podmonitor", ["--pod-monitor"])):
        printed = documents(umbra("install", "--dry-run", *options).stdout)
        check_equal(by_identity(kustomized(folder)), by_identity(printed), f"deploy/kubernetes/{folder}")
    check_equal(by_identity(kustomized("base")), by_identity(base()), "the base")


if __name__ == "__main__":
    main()
