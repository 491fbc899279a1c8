"""The custom resource definitions that the cases create where they are absent: Umbra's own from deploy/, and one for
Istio's ServiceEntry that stands for whatever a cluster with Istio has."""
import json
import pathlib

import yaml

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "crds"
GROUPS = {"routerules": "config.istio.io", "mirrorpolicies": "umbra.dev", "serviceentries": "networking.istio.io"}
NAMES = tuple(GROUPS)


def full_name(resource):
    return f"{resource}.{GROUPS[resource]}"


def service_entry(versions=("v1beta1",)):
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": full_name("serviceentries")},
            "spec": {"group": GROUPS["serviceentries"], "scope": "Namespaced",
                     "names": {"plural": "serviceentries", "singular": "serviceentry", "kind": "ServiceEntry",
                               "listKind": "ServiceEntryList"},
                     "versions": [{"name": version, "served": True, "storage": index == 0, "schema": schema}
                                  for index, version in enumerate(versions)]}}


def own_files():
    return sorted(FOLDER.glob("*.yaml"))


def wanted(resources):
    """The CRDs of these resources, as values."""
    found = {"serviceentries": service_entry()}
    for file in own_files():
        for document in yaml.safe_load_all(file.read_text()):
            if document and document.get("kind") == "CustomResourceDefinition":
                found[document["spec"]["names"]["plural"]] = document
    return [json.loads(json.dumps(found[resource])) for resource in resources]
