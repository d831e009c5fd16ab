"""The Deployment of each role, and the Job that brings the tables up to date."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from deploy.manifests.filling import Filling
from deploy.manifests.roles import Probe, Role

Manifest = dict[str, Any]

PART_OF: Final = {"app.kubernetes.io/part-of": "sightline"}
COMPONENT: Final = "app.kubernetes.io/component"
SECRET, SETTINGS, PICTURES_SECRET = "sightline", "sightline-settings", "sightline-s3"
USER: Final = 10001  #: of our images
METRICS_PORT: Final = 9100
_CHECK_EVERY_S: Final = 10

#: Memory to begin with, asked for and at most, and cores asked for; `sightline capacity` says what yours want.
_SIZES: Final = {
    "api": ("250m", "512Mi", "1Gi"),
    "camera": ("1", "512Mi", "2Gi"),
    "worker-cpu": ("2", "1Gi", "2Gi"),
    "worker-gpu": ("2", "4Gi", "8Gi"),
    "worker-paddle": ("2", "1Gi", "3Gi"),
    "worker-chat": ("4", "2Gi", "4Gi"),
    "worker-speech": ("2", "512Mi", "2Gi"),
    "worker-write": ("500m", "384Mi", "1Gi"),
}
_SMALL: Final = ("100m", "192Mi", "512Mi")


def named(kind: str, name: str, spec: Manifest, api: str = "apps/v1", **labels: str) -> Manifest:
    """A manifest with the labels that all of ours have."""
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "labels": {**PART_OF, COMPONENT: name, **labels}},
        "spec": spec,
    }


def labels_of(role: Role) -> dict[str, str]:
    """Of its pods. What a network policy goes by is among them: the stores that it talks to."""
    return {**PART_OF, COMPONENT: role.name, **{f"sightline/{store}": "client" for store in role.talks_to}}


def deployment(role: Role, fill: Filling) -> Manifest:
    """Without a number of replicas: that is one at first, and then what a person or KEDA says."""
    spec: Manifest = {
        **fill.replicas(role),
        "selector": {"matchLabels": {COMPONENT: role.name, **PART_OF}},
        "strategy": _strategy(role),
        "template": {"metadata": {"labels": labels_of(role), **fill.annotations()}, "spec": pod(role, fill)},
    }
    return named("Deployment", role.name, spec)


def migration(role: Role, fill: Filling) -> Manifest:
    """Roles on tables of another revision end with a sentence, and start again until it is done."""
    template = {"metadata": {"labels": labels_of(role)}, "spec": pod(role, fill) | {"restartPolicy": "OnFailure"}}
    # Gone after ten minutes, so that the next version's can be applied under the same name.
    spec = {"backoffLimit": 20, "ttlSecondsAfterFinished": 600, "template": template}
    return named("Job", fill.once(role.name), spec, "batch/v1", **{COMPONENT: role.name})


def pod(role: Role, fill: Filling) -> Manifest:
    volumes = [{"name": name, **_source(name)} for name in ("tmp", *role.volumes)]
    spec: Manifest = {
        "automountServiceAccountToken": False,
        # Else a service of some names would be taken for settings of ours.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": role.grace_s,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "nodeSelector": fill.of_role(role, "nodeSelector", {"nvidia.com/gpu.present": "true"} if role.gpus else {}),
        "tolerations": fill.of_role(role, "tolerations", _TOLERATES_GPU if role.gpus else []),
        "containers": [container(role, fill)],
        "volumes": volumes,
    }
    return {key: value for key, value in spec.items() if value not in ({}, [])}


_TOLERATES_GPU: Final = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
LOCKED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def container(role: Role, fill: Filling) -> Manifest:
    ports = [{"name": name, "containerPort": port} for name, port in ports_of(role).items()]
    return {
        "name": role.name,
        "image": fill.image(role.image),
        "args": [
            fill.of_role(role, "queues", word) if word == ",".join(role.queues) else word for word in role.command
        ],
        "env": [*_environment(role)],
        "envFrom": _settings(role),
        "resources": fill.of_role(role, "resources", _resources(role)),
        "securityContext": LOCKED,
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's
            *({"name": name, "mountPath": path} for name, path in role.volumes.items()),
        ],
        **({"ports": ports} if ports else {}),
        **(_probes(role.probe) if role.probe else {}),
    }


def ports_of(role: Role) -> dict[str, int]:
    """Where it listens: for those who ask it, and for Prometheus."""
    ports = {"http": role.probe.url[0]} if role.probe and role.probe.url else {}
    return ports | ({"metrics": METRICS_PORT} if "SIGHTLINE_METRICS_PORT" in role.environment else {})


def _probes(probe: Probe) -> Manifest:
    asks: Manifest = {"exec": {"command": list(probe.command)}}
    drains: Manifest = {}
    if probe.url:
        asks = {"httpGet": {"port": "http", "path": probe.url[1]}}
        # Until no proxy sends it requests any more.
        drains = {"lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}}}
    starts = math.ceil((probe.start_s + probe.retries * probe.every_s) / _CHECK_EVERY_S)
    alive = {"periodSeconds": probe.every_s, "timeoutSeconds": probe.timeout_s, "failureThreshold": probe.retries}
    first = {"periodSeconds": _CHECK_EVERY_S, "timeoutSeconds": probe.timeout_s, "failureThreshold": starts}
    found: Manifest = {"startupProbe": asks | first, "livenessProbe": asks | alive, **drains}
    if probe.url and probe.url[1] == "/healthz":
        ready = {"httpGet": {"port": "http", "path": "/readyz"}, "timeoutSeconds": probe.timeout_s}
        found["readinessProbe"] = ready | {"periodSeconds": _CHECK_EVERY_S, "failureThreshold": probe.retries}
    return found


def _strategy(role: Role) -> Manifest:
    if role.gpus:  # there may be no second one
        return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    if role.name in ("deliver", "flower"):  # an MQTT session has one owner
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def _resources(role: Role) -> Manifest:
    cpu, memory, most = _SIZES.get(role.name, _SMALL)
    gpus = {"nvidia.com/gpu": role.gpus} if role.gpus else {}
    # No limit of cores: it would stop a batch half way while cores are idle.
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": most, **gpus}}


def _environment(role: Role) -> Iterator[Manifest]:
    for name in role.secrets:  # first: the addresses below name them
        yield {"name": name, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": name}}}
    yield from ({"name": name, "value": value} for name, value in sorted(role.environment.items()))
    if role.queues and "postgres" not in role.talks_to:
        # Its models get the cores that it asks for: else each of several pods would take all those of the node.
        yield {"name": "SIGHTLINE_THREADS", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu"}}}


def _settings(role: Role) -> list[Manifest]:
    """Of all roles; and where pictures are kept, for those that do, if it is no volume."""
    found: list[Manifest] = [{"configMapRef": {"name": SETTINGS, "optional": True}}]
    if "pictures" in role.volumes:
        found.append({"secretRef": {"name": PICTURES_SECRET, "optional": True}})
    return found


def _source(volume: str) -> Manifest:
    if volume in CLAIMS:
        return {"persistentVolumeClaim": {"claimName": volume}}
    return {"emptyDir": {"sizeLimit": "20Gi" if volume == "models" else "2Gi"}}


#: What outlives a pod: its size, and whether pods on several nodes write to it.
CLAIMS: Final = {"pictures": ("50Gi", "ReadWriteMany"), "events": ("5Gi", "ReadWriteOnce")}
