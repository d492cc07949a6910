#!/usr/bin/env python3
"""Says which fields of a pod are unknown to Kubernetes' API, from the schema that its Python client carries."""
import re
import sys

import yaml
from kubernetes.client import models

# Younger than the client of Debian 12.
YOUNGER = {"appArmorProfile"}
SCALARS = {"str": str, "int": int, "bool": bool, "object": object}


def problems(value, kind, path):
    if kind.startswith("list["):
        for index, item in enumerate(value):
            yield from problems(item, kind[5:-1], f"{path}[{index}]")
    elif kind.startswith("dict("):
        if not isinstance(value, dict):
            yield f"{path} is not a map"
    elif kind in SCALARS:
        if not isinstance(value, SCALARS[kind]):
            yield f"{path} is not of type {kind}"
    elif hasattr(models, kind):
        model = getattr(models, kind)
        known = {name: attribute for attribute, name in model.attribute_map.items()}
        for name, member in value.items():
            if name in known:
                yield from problems(member, model.openapi_types[known[name]], f"{path}.{name}")
            elif name not in YOUNGER:
                yield f"{path}.{name} is no field of {kind}"


with open(sys.argv[1], encoding="utf-8") as file:
    pod = yaml.safe_load(re.sub(r"{{[^}]*}}", "x1", file.read()))
found = list(problems(pod, "V1Pod", "pod"))
print("\n".join(found))
sys.exit(1 if found or pod["kind"] != "Pod" else 0)
