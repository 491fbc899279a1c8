"""Validates objects against the structural schemas of the CRDs, and the schemas against the rules for them, as an API
server does; CEL rules are not evaluated here. For tests that have no API server."""
import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRDS = ROOT / "deploy" / "kubernetes" / "crds"
TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "number": (int, float)}


def load_crds():
    """kind -> CustomResourceDefinition."""
    found = {}
    for path in sorted(CRDS.glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        found[document["spec"]["names"]["kind"]] = document
    return found


def schema_of(crd):
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def is_free(schema):
    return schema.get("x-kubernetes-preserve-unknown-fields", False)


def structural_faults(schema, path="spec"):
    """What keeps a schema from being structural, or leaves a place open that nobody meant to leave open."""
    faults = []
    kind = schema.get("type")
    if not kind and not is_free(schema) and not schema.get("x-kubernetes-int-or-string"):
        faults.append(f"{path}: has no type")
    if "properties" in schema and "additionalProperties" in schema:
        faults.append(f"{path}: properties and additionalProperties")
    if kind == "object" and not is_free(schema) and path != ".metadata" and not (
            "properties" in schema or "additionalProperties" in schema):
        faults.append(f"{path}: an object of which nothing is said")
    if "additionalProperties" in schema and (not isinstance(schema["additionalProperties"], dict)
                                             or "maxProperties" not in schema):
        faults.append(f"{path}: a map without a schema or a bound")
    if kind == "array" and ("items" not in schema or "maxItems" not in schema):
        faults.append(f"{path}: a list without items or a bound")
    if kind == "string" and path.startswith(".spec") and not {"maxLength", "enum", "format"} & set(schema):
        faults.append(f"{path}: a string without a bound")
    for branch in schema.get("anyOf", []):
        wrong = set(branch) - ({"type"} if schema.get("x-kubernetes-int-or-string") else {"required"})
        if wrong:
            faults.append(f"{path}: anyOf with {sorted(wrong)}")
    for name, child in children(schema):
        faults += structural_faults(child, f"{path}.{name}")
    return faults


def children(schema):
    yield from schema.get("properties", {}).items()
    if isinstance(schema.get("additionalProperties"), dict):
        yield "*", schema["additionalProperties"]
    if "items" in schema:
        yield "[]", schema["items"]


def go_pattern(pattern):
    """Go's regular expressions as Python's, for what the schemas use of them."""
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))


def complaints(value, schema, path=""):
    """What is wrong with a value. A field that the schema does not know is wrong, as with strict validation."""
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            return [f"{path}: must be an integer or a string"]
    elif "type" in schema:
        wrong_bool = isinstance(value, bool) and schema["type"] != "boolean"
        if wrong_bool or not isinstance(value, TYPES[schema["type"]]):
            return [f"{path}: must be of type {schema['type']}, is {json.dumps(value, default=str)[:60]}"]
    found = [f"{path}: {fault}" for fault in value_faults(value, schema)]
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            found += complaints(item, schema["items"], f"{path}[{index}]")
        keys = schema.get("x-kubernetes-list-map-keys")
        names = [tuple(item.get(key) for key in keys) for item in value if isinstance(item, dict)] if keys else []
        if len(names) != len(set(names)):
            found.append(f"{path}: the same key twice")
    if isinstance(value, dict) and (schema.get("properties") or isinstance(schema.get("additionalProperties"), dict)):
        for key, item in value.items():
            child = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if child is None:
                found.append(f"{path}.{key}: unknown field")
            elif path or key != "metadata":
                found += complaints(item, child, f"{path}.{key}")
    return found


def value_faults(value, schema):
    faults = []
    if "enum" in schema and value not in schema["enum"]:
        faults.append(f"{value!r} is none of {schema['enum']}")
    if isinstance(value, str):
        if "pattern" in schema and not go_pattern(schema["pattern"]).search(value):
            faults.append(f"{value!r} does not match {schema['pattern']}")
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1 << 30):
            faults.append(f"length {len(value)}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            faults.append(f"{value} is out of range")
    elif isinstance(value, list) and len(value) > schema.get("maxItems", len(value)):
        faults.append(f"{len(value)} items")
    elif isinstance(value, dict):
        faults += [f"{key} is required" for key in schema.get("required", []) if key not in value]
        if len(value) > schema.get("maxProperties", len(value)):
            faults.append(f"{len(value)} properties")
        branches = schema.get("anyOf", [])
        if branches and not any(all(key in value for key in branch.get("required", [])) for branch in branches):
            faults.append("none of the alternatives")
    return faults


def cel_rules(schema, path=""):
    """Every CEL rule with the place it stands at."""
    for entry in schema.get("x-kubernetes-validations", []):
        yield path, entry, schema
    for name, child in children(schema):
        yield from cel_rules(child, f"{path}.{name}")
