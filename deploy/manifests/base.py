"""The kustomize base, and a component for each choice: a profile of compose, a database, KEDA, Prometheus' operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from deploy.manifests.around import budget, claims, policies, services
from deploy.manifests.filling import Filling, Fixed
from deploy.manifests.observed import monitor, rules
from deploy.manifests.pods import Manifest, deployment, migration
from deploy.manifests.roles import Role, roles
from deploy.manifests.scaled import scaled_object
from deploy.manifests.stores import redis_config, store
from deploy.manifests.volumes import bucket_policy, in_a_bucket, on_one_volume, with_that_volume

HEADER: Final = "# Written by `python -m deploy.manifests`: do not edit.\n"
#: What the workers on CPUs consume beside those of a profile, as .env.example says.
_BESIDE: Final = {"gpu": "cpu.ocr", "paddle": "gpu.detect"}


class _Dumper(yaml.SafeDumper):
    """Without anchors; scripts as blocks, not as strings with escapes."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml's signature
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def dumped(*documents: Mapping[str, Any]) -> str:
    """As YAML, in the order in which keys were given."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def of_role(role: Role, fill: Filling) -> list[Manifest]:
    """Its deployment, and what stands by it. KEDA's object is apart: without KEDA nobody knows its kind."""
    if role.probe is None:
        return [migration(role, fill)]
    return [deployment(role, fill), *services([role]), budget(role.name)]


def of_stores(fill: Filling) -> list[Manifest]:
    return [redis_config(), *store("redis", fill), *store("frames", fill), budget("redis"), budget("frames")]


def usual(every: Iterable[Role]) -> list[Role]:
    """Those that every installation has."""
    return [role for role in every if not role.profile]


def kustomizations(version: str) -> dict[str, str]:
    """The text of each file, by its path."""
    fill, every = Fixed(), roles()
    files = {f"{role.name}.yaml": of_role(role, fill) for role in usual(every)}
    files |= {"stores.yaml": of_stores(fill), "claims.yaml": claims(fill), "network.yaml": policies(fill)}
    worker = next(role for role in every if role.name == "worker-cpu")
    found = {f"base/{name}": HEADER + dumped(*documents) for name, documents in files.items()}
    found["base/kustomization.yaml"] = _kustomization(
        "Kustomization", resources=sorted(files), images=_images(usual(every), version)
    )
    found |= _component("postgres", store("postgres", fill))
    found |= _component("observe", [monitor(), rules()])
    found |= _component("s3", [bucket_policy(every)], patches=in_a_bucket(every, fill))
    models = on_one_volume(worker, fill)
    found |= _component("models", models, images=_images([worker], version), patches=with_that_volume(every, fill))
    found |= _component("keda", _scaled(usual(every), fill))
    for profile in sorted({role.profile for role in every if role.profile}):
        its = [role for role in every if role.profile == profile]
        documents = [document for role in its for document in of_role(role, fill)]
        more: dict[str, Any] = {"images": _images(its, version)}
        if profile in _BESIDE:
            more["patches"] = [_only(_BESIDE[profile], next(role for role in every if role.name == "worker-cpu"))]
        found |= _component(profile, documents, **more)
        found |= _component(f"{profile}-keda", _scaled(its, fill))
    return found


def _scaled(some: Iterable[Role], fill: Filling) -> list[Manifest]:
    return [scaled_object(role, fill) for role in some if role.queues]


def _component(name: str, documents: list[Manifest], **more: Any) -> dict[str, str]:
    return {
        f"components/{name}/resources.yaml": HEADER + dumped(*documents),
        f"components/{name}/kustomization.yaml": _kustomization("Component", resources=["resources.yaml"], **more),
    }


def _kustomization(kind: str, **content: Any) -> str:
    version = "v1beta1" if kind == "Kustomization" else "v1alpha1"
    return HEADER + dumped({"apiVersion": f"kustomize.config.k8s.io/{version}", "kind": kind, **content})


def _images(some: Iterable[Role], version: str) -> list[dict[str, str]]:
    return [{"name": name, "newTag": version} for name in sorted({role.image for role in some})]


def _only(queues: str, role: Role) -> dict[str, Any]:
    """The patch that leaves a worker some of its queues."""
    path = f"/spec/template/spec/containers/0/args/{role.command.index('-Q') + 1}"
    patch = yaml.safe_dump([{"op": "replace", "path": path, "value": queues}])
    return {"target": {"kind": "Deployment", "name": role.name}, "patch": patch}
