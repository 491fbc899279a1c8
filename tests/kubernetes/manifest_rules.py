"""What is asked of every workload and role in deploy/: functions from documents to complaints."""
import re

# container: (uid, added capabilities)
CONTAINERS = {"loader": (0, ["BPF", "NET_ADMIN"]), "terminator": (65532, []), "controller": (65533, []),
              "exporter": (65533, [])}
PROBES = {"loader": {"startupProbe", "livenessProbe"},
          "exporter": {"startupProbe", "livenessProbe", "readinessProbe"}, "terminator": set(), "controller": set()}
MOUNTS = {"loader": {"control", "terminator", "controller", "tun"}, "terminator": {"terminator"},
          "controller": {"controller", "api-access"}, "exporter": {"control"}}
READ = ["get", "list", "watch"]
CLUSTER_RULES = {("", "namespaces"): READ, ("", "pods"): READ, ("", "services"): READ,
                 ("discovery.k8s.io", "endpointslices"): READ, ("networking.istio.io", "serviceentries"): READ,
                 ("config.istio.io", "routerules"): READ, ("umbra.dev", "mirrorpolicies"): READ,
                 ("config.istio.io", "routerules/status"): ["patch"],
                 ("umbra.dev", "mirrorpolicies/status"): ["patch"]}
NAMESPACE_RULES = {("coordination.k8s.io", "leases"): ["create", "get", "list", "patch", "update", "watch"]}


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def role_faults(documents):
    faults = []
    for kind, wanted in (("ClusterRole", CLUSTER_RULES), ("Role", NAMESPACE_RULES)):
        for role in of_kind(documents, kind):
            granted = {}
            for rule in role["rules"]:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        granted[group, resource] = sorted(rule["verbs"])
            if granted != wanted:
                faults.append(f"{kind}: grants {granted}, wanted {wanted}")
        for binding in of_kind(documents, f"{kind}Binding"):
            subjects = [(s["kind"], s["name"], s["namespace"]) for s in binding["subjects"]]
            accounts = [("ServiceAccount", a["metadata"]["name"], a["metadata"]["namespace"])
                        for a in of_kind(documents, "ServiceAccount")]
            names = [r["metadata"]["name"] for r in of_kind(documents, kind)]
            if subjects != accounts or [binding["roleRef"]["name"]] != names or binding["roleRef"]["kind"] != kind:
                faults.append(f"{kind}Binding: {subjects} to {binding['roleRef']}")
    return faults


def container_faults(container, privileged=False):
    name = container["name"]
    uid, added = CONTAINERS[name]
    security = container["securityContext"]
    wanted = {"runAsUser": uid, "runAsGroup": uid, "runAsNonRoot": uid != 0, "readOnlyRootFilesystem": True}
    if privileged and name == "loader":
        wanted["privileged"] = True
    else:
        wanted["allowPrivilegeEscalation"] = False
        wanted["capabilities"] = {"drop": ["ALL"], **({"add": added} if added else {})}
    if name == "terminator":  # needs bpf(2) without CAP_BPF, which runtimes' profiles refuse; loads its own
        wanted["seccompProfile"] = {"type": "Unconfined"}
    faults = []
    if security != wanted:
        faults.append(f"{name}: security context {security}, wanted {wanted}")
    tag = re.fullmatch(r"[^\s:]+(?::\d+/[^\s:]+)?:([\w.-]+)|\S+@sha256:[0-9a-f]{64}", container["image"])
    if not tag or tag.group(1) == "latest":
        faults.append(f"{name}: image {container['image']} has no fixed tag")
    resources = container.get("resources", {})
    if set(resources.get("requests", {})) != {"cpu", "memory"} or "memory" not in resources.get("limits", {}):
        faults.append(f"{name}: requests and a memory limit are wanted: {resources}")
    if {key for key in container if key.endswith("Probe")} != PROBES[name]:
        faults.append(f"{name}: probes")
    for key in PROBES[name]:
        get = container[key].get("httpGet")
        if get and get.get("host") != "127.0.0.1":
            faults.append(f"{name}: {key} is not on loopback: {get}")
    if container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        faults.append(f"{name}: terminationMessagePolicy")
    if {mount["name"] for mount in container["volumeMounts"]} != MOUNTS[name]:
        faults.append(f"{name}: mounts {container['volumeMounts']}")
    return faults


def pod_faults(daemonset, privileged=False):
    template = daemonset["spec"]["template"]
    spec = template["spec"]
    faults = []
    labels, selector = template["metadata"]["labels"], daemonset["spec"]["selector"]["matchLabels"]
    if not selector or any(labels.get(key) != value for key, value in selector.items()):
        faults.append(f"selector {selector} does not match the labels {labels}")
    for section in ("labels", "annotations"):
        faults += [f"{section}: {key} is no string" for key, value in template["metadata"][section].items()
                   if not isinstance(value, str)]
    wanted = {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet", "automountServiceAccountToken": False,
              "priorityClassName": "system-node-critical", "terminationGracePeriodSeconds": 10,
              "tolerations": [{"operator": "Exists"}], "nodeSelector": {"kubernetes.io/os": "linux"},
              "securityContext": {"fsGroup": 65532, "supplementalGroups": [65532],
                                  "seccompProfile": {"type": "RuntimeDefault"}}}
    faults += [f"{key} is {spec.get(key)}, wanted {value}" for key, value in wanted.items() if spec.get(key) != value]
    faults += [f"{key} is given" for key in ("hostPID", "hostIPC", "initContainers") if spec.get(key)]
    names = [container["name"] for container in spec["containers"]]
    if names != list(CONTAINERS):
        return faults + [f"containers {names}"]
    for container in spec["containers"]:
        faults += container_faults(container, privileged)
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    mounted = set().union(*MOUNTS.values())
    if set(volumes) != mounted:
        faults.append(f"volumes {sorted(volumes)}, mounted {sorted(mounted)}")
    paths = [volume["hostPath"] for volume in volumes.values() if "hostPath" in volume]
    if paths != [{"path": "/dev/net/tun", "type": "CharDevice"}]:
        faults.append(f"host paths {paths}")
    strategy = daemonset["spec"]["updateStrategy"]
    if strategy != {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}:
        faults.append(f"update strategy {strategy}")
    return faults


def label_faults(documents):
    return [f"{document['kind']}: no label app.kubernetes.io/name: umbra" for document in documents
            if document["metadata"].get("labels", {}).get("app.kubernetes.io/name") != "umbra"]


def reference_faults(documents):
    """Everything is in the namespace that is made, and the account that the pods use exists."""
    made = [document["metadata"]["name"] for document in of_kind(documents, "Namespace")]
    cluster = {"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    faults = [f"{document['kind']}: namespace {document['metadata'].get('namespace')}, made {made}"
              for document in documents if document["kind"] not in cluster
              and [document["metadata"].get("namespace")] != made]
    accounts = [account["metadata"]["name"] for account in of_kind(documents, "ServiceAccount")]
    faults += [f"{d['metadata']['name']}: no such account" for d in of_kind(documents, "DaemonSet")
               if d["spec"]["template"]["spec"]["serviceAccountName"] not in accounts]
    for namespace in of_kind(documents, "Namespace"):
        if namespace["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "privileged":
            faults.append("namespace: pod security would refuse the agent")
    return faults
