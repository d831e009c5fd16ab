"""What Kubernetes is given, read as it lies in the repository."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
KUBERNETES = ROOT / "deploy/kubernetes"
Manifest = dict[str, Any]


@cache
def documents(*folders: str) -> list[Manifest]:
    """Of some folders of `deploy/kubernetes`, but for what is kustomize's own."""
    found = [path for folder in folders for path in sorted((KUBERNETES / folder).rglob("*.yaml"))]
    assert found
    texts = [path.read_text() for path in found if path.name != "kustomization.yaml"]
    return [document for text in texts for document in yaml.safe_load_all(text)]


def of_kind(kind: str, *folders: str) -> dict[str, Manifest]:
    """By name."""
    return {each["metadata"]["name"]: each for each in documents(*folders) if each["kind"] == kind}


def pods(*folders: str) -> dict[str, Manifest]:
    """The template of each that starts pods, by name."""
    kinds = ("Deployment", "StatefulSet", "Job")
    return {name: its["spec"]["template"] for kind in kinds for name, its in of_kind(kind, *folders).items()}
