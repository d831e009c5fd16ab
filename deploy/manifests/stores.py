"""Broker, frame store and, for who has no other, the database: those of docker-compose.yml, each with its volume."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Final

from deploy.manifests.filling import Filling
from deploy.manifests.pods import COMPONENT, LOCKED, PART_OF, SECRET, Manifest, named
from deploy.manifests.roles import ROOT, compose, filled, seconds

_USER: Final = 999  #: redis and postgres in Debian's images of both
#: Port, memory asked for and at most, size of the volume (None: it keeps nothing), and where its data lies.
_SHAPES: Final[dict[str, tuple[int, str, str, str | None, str]]] = {
    "redis": (6379, "512Mi", "2Gi", "10Gi", "/data"),
    "frames": (6379, "512Mi", "3Gi", None, "/data"),
    "postgres": (5432, "512Mi", "2Gi", "50Gi", "/var/lib/postgresql/data"),
}
_CONFIG: Final = "redis"
_STARTS_WITHIN_S: Final = 3600  #: an append-only file is read, a write-ahead log is followed


def redis_config() -> Manifest:
    """What starts Redis with a user a role, and the settings of both."""
    files = {name: (ROOT / "deploy/redis" / name).read_text() for name in ("start.sh", "users.acl")}
    configs = {f"{name}.conf": filled(its["content"]) for name, its in compose()["configs"].items()}
    metadata = {"name": _CONFIG, "labels": {**PART_OF, COMPONENT: "redis"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files | configs}


def store(name: str, fill: Filling) -> list[Manifest]:
    """Its service and its StatefulSet."""
    port, _, _, size, _ = _SHAPES[name]
    service = named("Service", name, _service(name, port), "v1")
    metadata: Manifest = {"labels": {**PART_OF, COMPONENT: name}}
    if "configs" in compose()["services"][name]:  # read at the start alone: another content is another pod
        content = json.dumps(redis_config()["data"], sort_keys=True).encode()
        metadata["annotations"] = {"checksum/config": hashlib.sha256(content).hexdigest()}
    template = {"metadata": metadata, "spec": _pod(name, fill)}
    spec: Manifest = {
        "serviceName": name,
        "selector": {"matchLabels": {COMPONENT: name, **PART_OF}},
        "template": template,
    }
    if size:
        claim = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": fill.of_all(f"{name}.size", size)}},
        }
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim}]
    return [service, named("StatefulSet", name, spec)]


def _service(name: str, port: int) -> Manifest:
    return {"selector": {COMPONENT: name, **PART_OF}, "ports": [{"name": name, "port": port, "targetPort": name}]}


def _pod(name: str, fill: Filling) -> Manifest:
    port, memory, most, size, path = _SHAPES[name]
    its = compose()["services"][name]
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, {"name": "data", "mountPath": path}]  # noqa: S108
    volumes: list[Manifest] = [{"name": "tmp", "emptyDir": {}}]
    if not size:
        volumes.append({"name": "data", "emptyDir": {}})
    if name == "postgres":
        mounts += [{"name": "run", "mountPath": "/var/run/postgresql"}, {"name": "shm", "mountPath": "/dev/shm"}]  # noqa: S108
        volumes += [{"name": "run", "emptyDir": {}}, {"name": "shm", "emptyDir": {"medium": "Memory"}}]
    else:
        (config,) = its["configs"]
        volumes.append({"name": "config", "configMap": {"name": _CONFIG}})
        mounts.append({"name": "config", "mountPath": "/etc/sightline"})
        mounts.append({"name": "config", "mountPath": config["target"], "subPath": f"{config['source']}.conf"})
    resources = {"requests": {"cpu": "250m", "memory": memory}, "limits": {"memory": most}}
    container: Manifest = {
        "name": name,
        "image": its["image"],
        "env": _environment(its["environment"], name),
        "ports": [{"name": name, "containerPort": port}],
        "resources": fill.of_all(f"{name}.resources", resources),
        "securityContext": LOCKED,
        "volumeMounts": mounts,
        **_probes(name, its["healthcheck"]),
        **({"args": its["command"]} if "command" in its else {}),
    }
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": seconds(its["stop_grace_period"]),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }


def _environment(given: dict[str, str], name: str) -> list[Manifest]:
    found: list[Manifest] = []
    for key, value in given.items():
        secret = re.fullmatch(r"\$\((\w+)\)", filled(value))
        source = {"valueFrom": {"secretKeyRef": {"name": SECRET, "key": secret[1]}}} if secret else {"value": value}
        found.append({"name": key, **source})
    if name == "postgres":  # a volume has a folder lost+found, and a new database wants an empty one
        found.append({"name": "PGDATA", "value": f"{_SHAPES[name][4]}/pgdata"})
    return found


def _probes(name: str, check: dict[str, Any]) -> Manifest:
    """Ready as in compose. Not killed for being slow: that would lose a second of the broker's memory for nothing, and
    have a database that recovers begin again, for ever."""
    test = check["test"][1]
    asks = {"exec": {"command": ["sh", "-c", test]}, "timeoutSeconds": seconds(check["timeout"])}
    # Of PostgreSQL 1 says that it is there and lets nobody in yet.
    lives = {"exec": {"command": ["sh", "-c", f"{test} || test $? -eq 1" if name == "postgres" else test]}}
    every = {"periodSeconds": seconds(check["interval"])}
    return {
        "startupProbe": lives | {"periodSeconds": 10, "timeoutSeconds": 20, "failureThreshold": _STARTS_WITHIN_S // 10},
        "readinessProbe": asks | every | {"failureThreshold": 2},
        "livenessProbe": lives | {"periodSeconds": 30, "timeoutSeconds": 20, "failureThreshold": 10},
    }
