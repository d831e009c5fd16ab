"""What stands around the pods: services, claims, disruption budgets, and who may talk to whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from deploy.manifests.filling import Filling
from deploy.manifests.pods import CLAIMS, COMPONENT, METRICS_PORT, PART_OF, Manifest, named, ports_of
from deploy.manifests.roles import Role

#: Roles that go out to addresses which their users name: cameras, sinks, pictures by URL.
_GO_OUT: Final = {"camera", "deliver", "api"}
_STORE_PORTS: Final = {"redis": 6379, "frames": 6379, "postgres": 5432}
_OTLP_PORTS: Final = (4317, 4318)
_NETWORKING: Final = "networking.k8s.io/v1"


def services(roles: Iterable[Role]) -> list[Manifest]:
    """Of those that answer requests."""
    return [
        named(
            "Service",
            role.name,
            {
                "selector": {COMPONENT: role.name, **PART_OF},
                "ports": [{"name": "http", "port": ports_of(role)["http"], "targetPort": "http"}],
            },
            "v1",
        )
        for role in roles
        if "http" in ports_of(role)
    ]


def claims(fill: Filling) -> list[Manifest]:
    """The kept pictures, which the API and writers on several nodes use, and the files of sinks."""
    return [
        named(
            "PersistentVolumeClaim",
            name,
            {
                "accessModes": fill.of_all(f"{name}.accessModes", [mode]),
                "resources": {"requests": {"storage": fill.of_all(f"{name}.size", size)}},
            },
            "v1",
        )
        for name, (size, mode) in CLAIMS.items()
    ]


def budget(name: str) -> Manifest:
    """A node that is emptied takes one after the other; a role with a single pod does not hold it up."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": {COMPONENT: name, **PART_OF}}}
    return named("PodDisruptionBudget", name, spec, "policy/v1")


def policies(fill: Filling) -> list[Manifest]:
    """Nobody talks to anybody, but for what is named here."""
    ours = {"podSelector": {"matchLabels": PART_OF}}
    dns = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    monitoring = fill.of_all("networkPolicy.monitoringNamespace", "monitoring")
    seen_by = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": monitoring}}}
    return [
        _policy("nobody", {}, policyTypes=["Ingress", "Egress"]),
        _policy("names", {}, egress=[{"ports": dns}]),
        _policy("metrics", {}, ingress=[{"from": [seen_by, ours], "ports": [_tcp(METRICS_PORT)]}]),
        _policy("traces", {}, egress=[{"to": [seen_by], "ports": [_tcp(port) for port in _OTLP_PORTS]}]),
        *(policy for store, port in _STORE_PORTS.items() for policy in _of_store(store, port)),
        _policy("api", {COMPONENT: "api"}, ingress=[{"ports": [_tcp(8080)]}]),
        _policy("flower", {COMPONENT: "flower"}, ingress=[{"ports": [_tcp(5555)]}]),
        *(_policy(f"{name}-out", {COMPONENT: name}, egress=[_out(fill)]) for name in sorted(_GO_OUT)),
    ]


def _of_store(store: str, port: int) -> list[Manifest]:
    """Those whose addresses name it, and nobody else."""
    clients = {f"sightline/{store}": "client"}
    its = {"podSelector": {"matchLabels": {COMPONENT: store, **PART_OF}}}
    theirs = {"podSelector": {"matchLabels": {**PART_OF, **clients}}}
    return [
        _policy(store, {COMPONENT: store}, ingress=[{"from": [theirs], "ports": [_tcp(port)]}]),
        _policy(f"{store}-clients", clients, egress=[{"to": [its], "ports": [_tcp(port)]}]),
    ]


def _out(fill: Filling) -> Manifest:
    """Anywhere but to what clouds tell their machines, passwords among it."""
    block = {"cidr": "0.0.0.0/0", "except": fill.of_all("networkPolicy.neverTo", ["169.254.0.0/16"])}
    return {"to": [{"ipBlock": block}]}


def _policy(name: str, selects: dict[str, str], **rules: Any) -> Manifest:
    types = [kind for kind in ("Ingress", "Egress") if kind.lower() in rules]
    spec = {"podSelector": {"matchLabels": {**PART_OF, **selects}}, "policyTypes": types, **rules}
    return named("NetworkPolicy", name, spec, _NETWORKING)


def _tcp(port: int) -> Manifest:
    return {"protocol": "TCP", "port": port}
