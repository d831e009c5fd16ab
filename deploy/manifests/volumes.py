"""Components that exchange a volume: pictures in a bucket instead of a claim, models on one volume for all workers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import yaml

from deploy.manifests.filling import Filling
from deploy.manifests.pods import COMPONENT, PART_OF, Manifest, named, pod
from deploy.manifests.roles import Role

_FETCH: Final = "fetch-models"
#: HTTPS, and where MinIO listens.
_PORTS: Final = (443, 9000)


def in_a_bucket(every: Iterable[Role], fill: Filling) -> list[Manifest]:
    """Patches: nobody mounts the claim of kept pictures, and there is none. The secret `sightline-s3` says where."""
    delete = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "pictures"}, "$patch": "delete"}
    instead = {"name": "pictures", "emptyDir": {"sizeLimit": "2Gi"}}
    return [
        *(_exchanged(role, instead, fill) for role in every if "pictures" in role.volumes),
        {"target": {"kind": "PersistentVolumeClaim", "name": "pictures"}, "patch": yaml.safe_dump(delete)},
    ]


def bucket_policy(every: Iterable[Role]) -> Manifest:
    names = sorted(role.name for role in every if "pictures" in role.volumes)
    return _may_go_out("s3", names)


def on_one_volume(worker: Role, fill: Filling) -> list[Manifest]:
    """The claim, and the job that fills it with what the settings name. It needs no store, and no password."""
    claim = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "20Gi"}}}
    spec: Manifest = {**pod(worker, fill), "restartPolicy": "OnFailure"}
    (container,) = spec["containers"]
    kept = ("image", "envFrom", "securityContext", "volumeMounts")
    fetching: Manifest = {"name": _FETCH, "args": ["python", "-m", "workers.tools.fetch"], "env": []} | {
        key: container[key] for key in kept
    }
    fetching["resources"] = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}
    spec |= {"containers": [fetching], "volumes": [_of_claim(volume) for volume in spec["volumes"]]}
    template = {"metadata": {"labels": {**PART_OF, COMPONENT: _FETCH}}, "spec": spec}
    job = {"backoffLimit": 20, "ttlSecondsAfterFinished": 600, "template": template}
    return [
        named("PersistentVolumeClaim", "models", claim, "v1"),
        named("Job", _FETCH, job, "batch/v1"),
        _may_go_out(_FETCH, [_FETCH]),
    ]


def with_that_volume(every: Iterable[Role], fill: Filling) -> list[Manifest]:
    """Patches of all that have models."""
    return [_exchanged(role, _of_claim({"name": "models"}), fill) for role in every if "models" in role.volumes]


def _of_claim(volume: Manifest) -> Manifest:
    name = volume["name"]
    return {"name": name, "persistentVolumeClaim": {"claimName": name}} if name == "models" else volume


def _exchanged(role: Role, volume: Manifest, fill: Filling) -> Manifest:
    names = [each["name"] for each in pod(role, fill)["volumes"]]
    path = f"/spec/template/spec/volumes/{names.index(volume['name'])}"
    patch: list[dict[str, Any]] = [{"op": "replace", "path": path, "value": volume}]
    return {"target": {"kind": "Deployment", "name": role.name}, "patch": yaml.safe_dump(patch)}


def _may_go_out(name: str, components: list[str]) -> Manifest:
    block = {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}
    ports = [{"protocol": "TCP", "port": port} for port in _PORTS]
    selects = {"matchLabels": PART_OF, "matchExpressions": [{"key": COMPONENT, "operator": "In", "values": components}]}
    spec = {"podSelector": selects, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": block}], "ports": ports}]}
    return named("NetworkPolicy", f"{name}-out", spec, "networking.k8s.io/v1")
