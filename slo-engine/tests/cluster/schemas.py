#!/usr/bin/env python3
"""JSON schemas as kubeconform reads them, from what registries deliver: schemas.py KUBERNETES OUT CRD.yaml...

Kubernetes' own kinds come from the package kubernetes-validate, for the minor version KUBERNETES (as `1.33`), into
OUT/core; the kinds of the CRDs into OUT/crd/GROUP. Both are strict: a field that is not declared is an error."""
import json
import pathlib
import sys

import kubernetes_validate
import yaml

PACKAGE_ROOT = "/api/"


def core(version, out):
    """The package's strict schemas, found relative to each other instead of on a server."""
    shipped = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    folders = sorted(shipped.glob(f"v{version}.*-local-strict"))
    if not folders:
        sys.exit(f"schemas.py: the package has no schemas of Kubernetes {version}")
    out.mkdir(parents=True)
    for file in folders[-1].glob("*.json"):
        schema = json.loads(file.read_text(), object_hook=relative)
        for identity in ("id", "$id"):
            schema.pop(identity, None)
        (out / file.name).write_text(json.dumps(schema))


def relative(node):
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith(PACKAGE_ROOT):
        node["$ref"] = reference.removeprefix(PACKAGE_ROOT)
    return node


def definitions(file, out):
    """One schema for each version of each kind that the file defines."""
    for document in yaml.safe_load_all(file.read_text()):
        if not document or document.get("kind") != "CustomResourceDefinition":
            continue
        spec = document["spec"]
        folder = out / spec["group"]
        folder.mkdir(parents=True, exist_ok=True)
        for version in spec["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            for common in ("apiVersion", "kind"):
                schema["properties"].setdefault(common, {"type": "string"})
            schema["properties"]["metadata"] = {"type": "object"}
            name = f"{spec['names']['kind'].lower()}_{version['name']}.json"
            (folder / name).write_text(json.dumps(schema))


def closed(schema):
    """The OpenAPI schema as JSON schema, in which an object has the declared fields and no others."""
    result = dict(schema)
    if result.pop("x-kubernetes-int-or-string", False):
        result.pop("anyOf", None)
        result["type"] = ["integer", "string"]
    if result.pop("nullable", False) and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    if "properties" in result:
        result["properties"] = {name: closed(field) for name, field in result["properties"].items()}
        if not result.get("x-kubernetes-preserve-unknown-fields"):
            result.setdefault("additionalProperties", False)
    for nested in ("items", "additionalProperties"):
        if isinstance(result.get(nested), dict):
            result[nested] = closed(result[nested])
    return result


def main():
    version, out, *files = sys.argv[1:]
    out = pathlib.Path(out)
    core(version, out / "core")
    for file in files:
        definitions(pathlib.Path(file), out / "crd")


main()
